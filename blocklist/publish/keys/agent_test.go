package keys_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

// startAgent starts the real ssh-agent for the test and returns a client of it.
func startAgent(t *testing.T) agent.ExtendedAgent {
	t.Helper()
	program, err := exec.LookPath("ssh-agent")
	if err != nil {
		t.Skip("ssh-agent (Debian: openssh-client) is not installed")
	}
	socket := filepath.Join(t.TempDir(), "s")
	cmd := exec.CommandContext(t.Context(), program, "-D", "-a", socket)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var conn net.Conn
	require.Eventually(t, func() bool {
		conn, err = net.Dial("unix", socket)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	t.Cleanup(func() { conn.Close() })
	t.Setenv("SSH_AUTH_SOCK", socket)
	return agent.NewClient(conn)
}

func addKey(t *testing.T, a agent.Agent, comment string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	require.NoError(t, a.Add(agent.AddedKey{PrivateKey: private, Comment: comment}))
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return ssh.FingerprintSHA256(key)
}

// An officer whose key never leaves the agent signs like any other.
func TestOfficerInAgent(t *testing.T) {
	held := startAgent(t)
	fingerprint := addKey(t, held, "carla@desk.example")
	path := filepath.Join(t.TempDir(), "carla.pub")
	public, err := keys.WriteAgentPublic("agent:carla@desk.example", path, "carla")
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, public+"\n", string(content))

	carla, err := keys.Load("agent:"+fingerprint, nil)
	require.NoError(t, err)
	key, err := notekey.Parse(public)
	require.NoError(t, err)
	online, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	metadata, err := trust.NewRoot(trust.RootSpec{
		List: "it.example/test", Version: 1, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Threshold: 1,
		Officers: []notekey.Key{key}, Online: notekey.Key{Name: "origin", Public: online},
	})
	require.NoError(t, err)
	metadata, err = tuf.Sign(metadata, carla)
	require.NoError(t, err)
	root, err := trust.OpenRoot(metadata)
	require.NoError(t, err)
	s, err := trust.CheckSignatures(root, metadata)
	require.NoError(t, err)
	require.Len(t, s.Signed, 1)
	assert.Equal(t, "carla", s.Signed[0].Name)

	require.NoError(t, held.RemoveAll())
	_, err = carla.Sign(rand.Reader, []byte("{}"), crypto.Hash(0))
	assert.Error(t, err, "the agent has the key no longer")
}

func TestAgentKeysAreNamedExactly(t *testing.T) {
	held := startAgent(t)
	addKey(t, held, "same")
	addKey(t, held, "same")
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	require.NoError(t, held.Add(agent.AddedKey{PrivateKey: private, Comment: "rsa"}))
	for name, want := range map[string]string{"same": "2 have that name", "rsa": "no such key", "none": "same SHA256:", "": "no such key"} {
		_, err := keys.Load("agent:"+name, nil)
		assert.ErrorContains(t, err, want, "%q", name)
	}
	addKey(t, held, "one")
	_, err = keys.WriteAgentPublic("agent:one", filepath.Join(t.TempDir(), "x.pub"), "two words")
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = keys.WriteAgentPublic("agent:one", filepath.Join(t.TempDir(), "x.pub"), "anna")
	assert.NoError(t, err)

	t.Setenv("SSH_AUTH_SOCK", "")
	_, err = keys.Load("agent:one", nil)
	assert.ErrorContains(t, err, "SSH_AUTH_SOCK is not set")
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "nothing"))
	_, err = keys.Load("agent:one", nil)
	assert.ErrorContains(t, err, "asking the ssh-agent")
}

// An agent that signs with another key than it was asked for, or digests, is no use.
func TestAgentIsNotBelieved(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	liar := lyingAgent{Agent: agent.NewKeyring()}
	addKey(t, liar, "anna")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			agent.ServeAgent(liar, conn)
			conn.Close()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
	key, err := keys.Load("agent:anna", nil)
	require.NoError(t, err)
	_, err = key.Sign(rand.Reader, []byte("{}"), crypto.Hash(0))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

type lyingAgent struct{ agent.Agent }

func (a lyingAgent) Sign(key ssh.PublicKey, _ []byte) (*ssh.Signature, error) {
	return a.Agent.Sign(key, []byte("something else"))
}

// A key that lives elsewhere is written as the one of a key file is.
func TestPublicKey(t *testing.T) {
	dir := t.TempDir()
	public, err := keys.Generate(filepath.Join(dir, "a.key"), filepath.Join(dir, "a.pub"), "anna", "")
	require.NoError(t, err)
	signer, err := keys.Load(filepath.Join(dir, "a.key"), nil)
	require.NoError(t, err)
	same, err := keys.PublicKey("anna", signer)
	require.NoError(t, err)
	assert.Equal(t, public, same)

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, signer := range map[string]crypto.Signer{"two words": signer, "": signer, "rsa": other, "nil": nil} {
		_, err := keys.PublicKey(name, signer)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, name)
	}
}

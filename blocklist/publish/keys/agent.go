package keys

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
)

// AgentPrefix begins the path of a key that is in the ssh-agent, see [Load].
const AgentPrefix = "agent:"

// agentTimeout limits one exchange with the ssh-agent. It leaves a person time to confirm a prompt or to touch a
// hardware key.
const agentTimeout = 2 * time.Minute

// errNoAgentKey is returned if the ssh-agent has no key with the given name.
var errNoAgentKey = errors.New("no such key in the ssh-agent")

// agentKey is an ed25519 key in the ssh-agent. The agent makes a plain ed25519 signature over exactly the given bytes.
// Such a signature can't be confused with one of the SSH protocol: canonical metadata begins with "{", and the data
// that SSH signs begin with a length.
type agentKey struct {
	socket string
	ssh    ssh.PublicKey
	public ed25519.PublicKey
}

// Public implements [crypto.Signer].
func (k agentKey) Public() crypto.PublicKey { return k.public }

// Sign implements [crypto.Signer]. It signs whole messages, not digests.
func (k agentKey) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.Hash(0) {
		return nil, fmt.Errorf("signing with the ssh-agent: %w: it signs messages, no digests", blocklist.ErrMalformed)
	}
	var signature *ssh.Signature
	err := withAgent(context.Background(), k.socket, func(a agent.Agent) (err error) {
		signature, err = a.Sign(k.ssh, message)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("signing with the ssh-agent: %w", err)
	}
	if signature.Format != ssh.KeyAlgoED25519 || !ed25519.Verify(k.public, message, signature.Blob) {
		return nil, fmt.Errorf("signing with the ssh-agent: %w: it has returned something else than a signature",
			blocklist.ErrUntrusted)
	}
	return signature.Blob, nil
}

// findAgentKey returns the ed25519 key with this name from the ssh-agent at SSH_AUTH_SOCK. The name is the key's
// comment or its SHA256:... fingerprint. It fails with an error that wraps errNoAgentKey if no key, or more than one,
// has the name.
func findAgentKey(name string) (crypto.Signer, error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, fmt.Errorf("looking for key %.200q: %w: there is no agent; SSH_AUTH_SOCK is not set", name, errNoAgentKey)
	}
	var found []agentKey
	var others []string
	err := withAgent(context.Background(), socket, func(a agent.Agent) error {
		keys, err := a.List()
		for _, k := range keys {
			key, ok := readAgentKey(socket, k)
			switch {
			case !ok:
			case name == k.Comment || name == ssh.FingerprintSHA256(k):
				found = append(found, key)
			default:
				others = append(others, k.Comment+" "+ssh.FingerprintSHA256(k))
			}
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking the ssh-agent: %w", err)
	case len(found) > 1:
		return nil, fmt.Errorf("looking for key %.200q: %w of its own: %d have that name; give the fingerprint instead", name,
			errNoAgentKey, len(found))
	case len(found) == 0:
		return nil, fmt.Errorf("looking for key %.200q: %w; its ed25519 keys are %s", name, errNoAgentKey,
			cmp.Or(strings.Join(others, ", "), "none"))
	}
	return found[0], nil
}

// readAgentKey parses a key that the ssh-agent has listed. It returns false if the key is not ed25519.
func readAgentKey(socket string, k *agent.Key) (agentKey, bool) {
	parsed, err := ssh.ParsePublicKey(k.Blob)
	if err != nil {
		return agentKey{}, false
	}
	holder, ok := parsed.(ssh.CryptoPublicKey)
	if !ok {
		return agentKey{}, false
	}
	public, ok := holder.CryptoPublicKey().(ed25519.PublicKey)
	return agentKey{socket: socket, ssh: parsed, public: public}, ok && parsed.Type() == ssh.KeyAlgoED25519
}

// withAgent connects to the ssh-agent at this Unix socket, runs do, and closes the connection.
func withAgent(ctx context.Context, socket string, do func(agent.Agent) error) error {
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	err = conn.SetDeadline(deadline)
	if err == nil {
		err = do(agent.NewClient(conn))
	}
	return errors.Join(err, conn.Close())
}

// WriteAgentPublic writes the public half of an ed25519 key in the ssh-agent to a new file at publicPath, in the format
// of [Generate]. The argument key is [AgentPrefix] followed by the key's comment or SHA256:... fingerprint. The
// argument name is the name of the key's holder. It returns the public key as text.
func WriteAgentPublic(key, publicPath, name string) (public string, err error) {
	signer, err := findAgentKey(strings.TrimPrefix(key, AgentPrefix))
	if err != nil {
		return "", err
	}
	if public, err = PublicKey(name, signer); err != nil {
		return "", err
	}
	return public, writeNew(publicPath, []byte(public+"\n"), 0o644)
}

// PublicKey returns the public key of an ed25519 signer as text, in the form that [Generate] writes. With it, a key in
// an HSM or in a cloud's key service can be an officer's key. The argument name is the name of the key's holder. It
// fails with [blocklist.ErrMalformed] if the key is not ed25519, or if the name is empty or has spaces or a plus sign.
func PublicKey(name string, signer crypto.Signer) (string, error) {
	if signer == nil {
		return "", fmt.Errorf("naming a key %q: %w: there is no signer", name, blocklist.ErrMalformed)
	}
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("naming a key %q: %w: it is a %T, an ed25519 key is needed", name, blocklist.ErrMalformed,
			signer.Public())
	}
	k := notekey.Key{Name: name, Public: public}
	if _, err := notekey.Parse(k.String()); err != nil {
		return "", fmt.Errorf("naming a key %q: %w", name, err)
	}
	return k.String(), nil
}

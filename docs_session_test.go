package argine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

// session types the commands of one page in a folder of its own.
type session struct {
	t          *testing.T
	dir        string
	repository string
	env        []string
	code       int               // of the command before
	there      *strings.Replacer // what the page names, by what is there in the test
	back       *strings.Replacer
}

// confirmed is blocklist for those who answer yes where it asks before it signs, and give their keys an empty
// passphrase.
const confirmed = `blocklist() {
	case " $* " in
	*" sign "* | *" urgent add "* | *" urgent remove "*) command blocklist "$@" --yes ;;
	*" --subscriber "* | *" --key "*) command blocklist "$@" ;;
	*" keygen "*) command blocklist "$@" --no-passphrase ;;
	*) command blocklist "$@" ;;
	esac
}
`

func newSession(t *testing.T, programs, page string) *session {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	repository, err := os.Getwd()
	require.NoError(t, err)
	s := &session{t: t, dir: t.TempDir(), repository: repository}
	s.env = append(os.Environ(), "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"),
		"XDG_STATE_HOME="+s.dir, "LC_ALL=C", "TZ=UTC")
	s.exchange(page)
	s.module()
	return s
}

var portPattern = regexp.MustCompile(`127\.0\.0\.1:(\d+)\b`)

// exchange finds a free port for each on loopback that the page names, and starts the resolver that it takes for its
// own.
func (s *session) exchange(page string) {
	there, back := []string{"192.0.2.53", upstream(s.t)}, []string{s.dir + "/", "", s.repository + "/", ""}
	if u, err := user.Current(); err == nil {
		back = append(back, " "+u.Username+":", " root:") // the author, where none is named
	}
	seen := map[string]bool{}
	for _, m := range portPattern.FindAllStringSubmatch(page, -1) {
		if seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		port := strings.TrimPrefix(freeport.Addr(s.t), "127.0.0.1:")
		there = append(there, "127.0.0.1:"+m[1], "127.0.0.1:"+port, "-p "+m[1], "-p "+port)
		back = append(back, "127.0.0.1:"+port, "127.0.0.1:"+m[1], "127.0.0.1#"+port, "127.0.0.1#"+m[1])
	}
	s.there, s.back = strings.NewReplacer(there...), strings.NewReplacer(append(back, there[1], there[0])...)
}

// module makes the folder a module that finds this one, and its dependencies, without a network.
func (s *session) module() {
	text, err := os.ReadFile("go.mod")
	require.NoError(s.t, err)
	module := strings.Replace(string(text), "module github.com/argine-dns/argine", "module lists.example", 1) +
		"\nrequire github.com/argine-dns/argine v0.0.0\nreplace github.com/argine-dns/argine => " + s.repository + "\n"
	s.write("go.mod", module)
	sum, err := os.ReadFile("go.sum")
	require.NoError(s.t, err)
	s.write("go.sum", string(sum))
}

func (s *session) write(name, text string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

// fence does what a fence is for. With -update what its commands print replaces what it shows.
func (s *session) fence(f *fence) {
	s.t.Helper()
	var steps []step
	switch {
	case f.skip != "":
		s.t.Logf("line %d: not run: %s", f.line, f.skip)
		return
	case f.file != "":
		s.write(f.file, s.there.Replace(f.body))
		return
	case f.lang == "sh" || f.lang == "console":
		steps = f.steps()
	default:
		assert.NotEqual(s.t, "go", f.lang, "line %d: a program has a file: <!-- file: main.go -->", f.line)
		return
	}
	var body strings.Builder
	for i, st := range steps {
		body.WriteString("$ " + st.command + s.step(st, f.repository, i+1 < len(steps) && strings.HasPrefix(steps[i+1].command, "echo $?")))
	}
	if *update && f.lang == "console" {
		f.body = body.String()
	}
}

// step types a command, and returns what the page is to show of it.
func (s *session) step(st step, inRepository, mayFail bool) string {
	s.t.Helper()
	name, _, _ := strings.Cut(strings.TrimSpace(st.command), " ")
	if _, err := exec.LookPath(name); err != nil && (name == "dig" || name == "curl") {
		s.t.Logf("line %d: not run: there is no %s", st.line, name)
		return st.shown
	}
	printed, code := s.run(st.command, inRepository)
	if code != 0 && !mayFail {
		s.t.Errorf("line %d: %s: ended with %d\n%s", st.line, st.command, code, printed)
		return st.shown
	}
	if st.silent || matches(st.shown, printed) {
		return st.shown
	}
	if !*update {
		s.t.Errorf("line %d: %s: the page shows\n%s\nit printed\n%s", st.line, st.command, st.shown, printed)
	}
	return printed
}

// run types a command and returns what it printed, and with which code it ended.
func (s *session) run(command string, inRepository bool) (printed string, code int) {
	s.t.Helper()
	if server, ok := strings.CutSuffix(strings.TrimSpace(command), "&"); ok {
		s.serve(server)
		return "", 0
	}
	ctx, end := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer end()
	start := time.Now()
	cmd := s.shell(ctx, fmt.Sprintf("%s(exit %d)\n%s", confirmed, s.code, command))
	if inRepository {
		cmd.Dir = s.repository
	}
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	s.code = cmd.ProcessState.ExitCode()
	s.t.Logf("%8s  %s", time.Since(start).Round(time.Millisecond), strings.TrimSpace(command))
	return s.back.Replace(string(out)), s.code
}

func (s *session) shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", s.there.Replace(command))
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.dir, s.env, time.Second
	return cmd
}

var logPattern = regexp.MustCompile(`> ?(\S+)`)

// serve starts a server in the background, until the end of the page, and waits until its log says that it serves.
func (s *session) serve(command string) {
	s.t.Helper()
	m := logPattern.FindStringSubmatch(command)
	require.NotNil(s.t, m, "%s: a server writes its log to a file", command)
	cmd := s.shell(context.WithoutCancel(s.t.Context()), "exec "+command)
	require.NoError(s.t, cmd.Start())
	s.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	var text []byte
	serving := func() bool {
		text, _ = os.ReadFile(filepath.Join(s.dir, m[1]))
		return bytes.Contains(text, []byte("msg=serving")) &&
			bytes.Count(text, []byte("fetching it")) <= bytes.Count(text, []byte("enforcing a new release"))
	}
	require.Eventually(s.t, serving, time.Minute, 20*time.Millisecond, "%s\n%s", command, text)
}

// upstream starts a resolver that has one address for each name, and returns where.
func upstream(t *testing.T) string {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		reply := new(dns.Msg).SetReply(query)
		if q := query.Question[0]; q.Qtype == dns.TypeA {
			reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass, Ttl: 300}, A: net.IPv4(192, 0, 2, 1)}}
		}
		w.WriteMsg(reply)
	})}
	go server.ActivateAndServe()
	t.Cleanup(func() { server.Shutdown() })
	return conn.LocalAddr().String()
}

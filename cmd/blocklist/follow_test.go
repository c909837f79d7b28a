package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/blocktest"
)

// said is what a program said so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startFollow runs follow as a process of its own; end ends it as a service manager does.
func startFollow(t *testing.T, args ...string) (log *said, end func()) {
	t.Helper()
	log = &said{}
	cmd := exec.Command(os.Args[0], append([]string{"follow"}, args...)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), asCommand+"=1"), log
	require.NoError(t, cmd.Start())
	end = sync.OnceFunc(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		assert.NoError(t, cmd.Wait(), log)
	})
	t.Cleanup(end)
	return log, end
}

// Who looks in the folder sees each release, and does not notice that the one who follows is not there for a while.
func TestFollow(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a process can't be interrupted there")
	}
	names := []string{"a.test", "b.test"}
	for i := range 1000 {
		names = append(names, fmt.Sprintf("x%d.test", i))
	}
	slices.Sort(names)
	origin := blocktest.NewOrigin(t, names...)
	root := filepath.Join(t.TempDir(), "root.json")
	require.NoError(t, os.WriteFile(root, origin.Root, 0o600))
	dir := t.TempDir()
	following := []string{"--root", root, origin.URL, "-o", dir}
	_, end := startFollow(t, following...)

	s, err := (&app{stderr: &said{}}).openSource(t.Context(), &input{format: "auto"}, dir)
	require.NoError(t, err)
	defer s.end()
	h := squidHelper{source: s}
	becomes := func(name, answer string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.HasPrefix(h.answer("http://"+name+"/"), answer) }, time.Minute, 20*time.Millisecond)
	}
	becomes("a.test", "OK tag=it.example")
	becomes("new.test", "ERR")
	end()
	becomes("a.test", "OK")

	origin.Publish(slices.Sorted(slices.Values(append(names, "new.test")))...)
	_, end = startFollow(t, following...)
	becomes("new.test", "OK")
	end()

	origin.Publish("b.test") // all others gone at once is what the guards hold
	log, end := startFollow(t, following...)
	id := regexp.MustCompile(`id=([0-9a-f]{32})`)
	require.Eventually(t, func() bool { return id.MatchString(log.String()) }, time.Minute, 20*time.Millisecond, log)
	end()
	becomes("a.test", "OK")
	var out, errs strings.Builder
	assert.Equal(t, exitFailed, run(append([]string{"follow", "--accept", "00"}, following...), nil, &out, &errs))
	assert.Contains(t, errs.String(), "on hold: ")
	startFollow(t, append(following, "--accept", id.FindStringSubmatch(log.String())[1])...)
	becomes("a.test", "ERR")
	becomes("b.test", "OK")
}

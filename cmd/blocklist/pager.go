package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
)

// paged calls write. If standard output is a terminal, its output goes through a pager: $PAGER, or otherwise the
// program less, which exits by itself if the text fits on the screen. PAGER=cat turns paging off.
func (a *app) paged(write func() error) error {
	f, ok := terminal(a.stdout)
	words := strings.Fields(os.Getenv("PAGER"))
	if len(words) == 0 {
		words = []string{"less", "-FX"}
	}
	if !ok {
		return write()
	}
	program, err := exec.LookPath(words[0])
	if err != nil {
		return write()
	}
	cmd := exec.Command(program, words[1:]...) //nolint:gosec,noctx // the user's own; it ends with our output
	cmd.Stdout, cmd.Stderr = f, a.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stdout := a.stdout
	a.stdout = pagerInput{in}
	err = write()
	a.stdout = stdout
	if closeErr := in.Close(); err == nil {
		err = closeErr
	}
	_ = cmd.Wait() // its exit code does not matter
	return err
}

// pagerInput writes to a pager. After the user has left the pager, it drops the output without an error.
type pagerInput struct{ w io.Writer }

func (p pagerInput) Write(b []byte) (int, error) {
	_, _ = p.w.Write(b)
	return len(b), nil
}

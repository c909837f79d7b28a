package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
)

// paged runs write with standard output going through a pager, if that is a terminal: PAGER, or less, which ends by
// itself where all fits the screen. PAGER=cat turns it off.
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
	_ = cmd.Wait() // however people leave it
	return err
}

// pagerInput swallows what comes after the pager was left.
type pagerInput struct{ w io.Writer }

func (p pagerInput) Write(b []byte) (int, error) {
	_, _ = p.w.Write(b)
	return len(b), nil
}

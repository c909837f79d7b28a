// Command demo shows a blocklist from the agency to the resolver, in one process, on loopback and in a temporary
// folder: two officers sign a release, which is pushed to an origin, and a resolver subscribes to it and answers
// queries.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	once := flag.Bool("once", false, "end after the last step")
	list := flag.String("list", "testdata/lists/demo.txt", "`file` with the entries, in any format")
	listen := flag.String("listen", "127.0.0.1:0", "`address` of the resolver")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx, os.Stdout, *list, *listen, *once); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		if errors.Is(err, os.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "demo: hint: run it from the root of the repository, or name a file with --list")
		}
		os.Exit(1)
	}
}

// demo runs all steps of the demo. Then it returns if the flag --once is given; otherwise the resolver keeps running
// until ctx ends.
func demo(ctx context.Context, out io.Writer, list, listen string, once bool) (err error) {
	dir, err := os.MkdirTemp("", "argine-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := steps{out: out}
	a, err := newAgency(ctx, dir, &s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.publish(ctx, list, &s); err != nil {
		return err
	}
	r, err := newResolver(dir, a.url, a.root, listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.run(ctx) }()
	defer func() { cancel(); err = errors.Join(err, <-done) }()
	if err := r.show(ctx, &s); err != nil || once {
		return err
	}
	s.say("The resolver answers until Ctrl-C. Try:")
	s.say("  dig @%s -p %d www.blocked.example", r.addr.Addr(), r.addr.Port())
	s.say("  dig @%s -p %d www.example.org", r.addr.Addr(), r.addr.Port())
	<-ctx.Done()
	return nil
}

// steps prints each completed step with the time that it took.
type steps struct {
	out io.Writer
	n   int
}

func (s *steps) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *steps) did(what string, took time.Duration) {
	s.n++
	s.say("%2d. %-92s %8.1f ms", s.n, what, float64(took.Microseconds())/1000)
}

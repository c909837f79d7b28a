//go:build linux

// Bench compares the CPU time per query of dnsfilter and of other installed resolvers. It is no test; see README.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Address and ports of the servers.
const (
	host         = "127.0.0.1"
	port         = 5571
	upstreamPort = 5572
	echoPort     = 5573
	tlsPort      = 5575 // port for TLS and QUIC
	httpsPort    = 5576
)

// bench has the parameters of a comparison.
type bench struct {
	dir    string
	names  int
	runs   int
	secs   float64
	binary string
	agency string // path of the program blocklist; empty: signed lists are not measured
	self   string // path of this program
	out    io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // this is main
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := bench{out: stdout}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&b.names, "names", 1_000_000, "names on the list")
	flags.IntVar(&b.runs, "runs", 3, "runs of each workload, of which the median counts")
	flags.Float64Var(&b.secs, "secs", 2, "seconds of a run")
	flags.StringVar(&b.binary, "dnsfilter", "dnsfilter", "the program to compare")
	flags.StringVar(&b.agency, "blocklist", "", "the program that publishes signed lists, to measure deltas of them")
	chosen := flags.String("peers", strings.Join(peerNames(), ","), "programs to run, as far as they are installed")
	parts := flags.String("parts", "udp,kept,idle,changes", "what to measure")
	echoes := flags.Bool("echo", false, "be the yardstick")
	sends := flags.String("send", "", "send the queries of a file over the protocol of this name")
	if flags.Parse(args) != nil {
		return 2
	}
	var err error
	switch {
	case *echoes:
		stop() // signals end it
		err = echo()
	case *sends != "":
		err = b.send(ctx, *sends, flags.Arg(0))
	default:
		err = b.compare(ctx, strings.Split(*parts, ","), strings.Split(*chosen, ","))
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: error: %v\n", err)
		return 1
	}
	return 0
}

// echo is the yardstick, with which all programs are compared: a server that returns each query as its answer, one
// datagram at a time.
func echo() error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host), Port: echoPort})
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		buf[2], buf[3] = buf[2]|0x80, 3
		if _, err := conn.WriteToUDPAddrPort(buf[:n], from); err != nil {
			return err
		}
	}
}

func (b *bench) compare(ctx context.Context, parts, names []string) (err error) {
	for _, tool := range []string{"dnsperf", "h2load", "nsd", "openssl", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is needed: %w", tool, err)
		}
	}
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.writeData(); err != nil {
		return err
	}
	if err := b.certificate(ctx); err != nil {
		return err
	}
	upstream, err := b.start(ctx, "1", b.nsd()...)
	if err != nil {
		return err
	}
	defer upstream.stop()
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	yardstick, err := b.start(ctx, "0", b.self, "-echo")
	if err != nil {
		return err
	}
	defer yardstick.stop()
	for _, part := range parts {
		if err := b.measure(ctx, part, names, yardstick); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context, part string, names []string, yardstick *process) error {
	switch part {
	case "udp":
		return b.compareAll(ctx, names, yardstick)
	case "kept":
		return b.kept(ctx, names, yardstick)
	case "idle":
		return b.idle(ctx)
	case "changes":
		return b.changes(ctx)
	}
	return fmt.Errorf("there is no part %q", part)
}

// compareAll measures each program over UDP, and prints one row of the table for each.
func (b *bench) compareAll(ctx context.Context, names []string, yardstick *process) error {
	fmt.Fprintf(b.out, "CPU time of a query, as a multiple of the yardstick's at the same moment (lost queries in brackets)\n\n")
	fmt.Fprintf(b.out, "| | W1 cached | W2 mixed | W3 blocked | W4 not cached | W1 again | MB before | after |\n|---|---|---|---|---|---|---|---|\n")
	for _, name := range names {
		if err := b.comparePeer(ctx, name, yardstick); err != nil {
			fmt.Fprintf(b.out, "| %s | %v |\n", name, err)
		}
	}
	return ctx.Err()
}

// startPeer starts a program on the given CPUs, and waits until it blocks a listed name.
func (b *bench) startPeer(ctx context.Context, name, cpus string) (*process, error) {
	configure := peers()[name]
	if configure == nil {
		return nil, errors.New("unknown")
	}
	command, err := configure(b)
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil, errors.New("not installed")
	}
	p, err := b.start(ctx, cpus, command...)
	if err != nil {
		return nil, err
	}
	if err := b.waitBlocked(p); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// comparePeer measures a program in each workload, and prints its row of the table.
func (b *bench) comparePeer(ctx context.Context, name string, yardstick *process) error {
	p, err := b.startPeer(ctx, name, "0")
	if err != nil {
		return err
	}
	defer p.stop()
	before := p.memory()
	row := []string{name}
	for _, workload := range []string{"w1", "w2", "w3", "w4", "w1"} {
		cell, err := b.ratio(ctx, workload, p, yardstick)
		if err != nil {
			return err
		}
		row = append(row, cell)
	}
	fmt.Fprintf(b.out, "| %s | %d | %d |\n", strings.Join(row, " | "), before, p.memory())
	return nil
}

// ratio measures a workload over UDP, and returns a cell of the table: the CPU time per query as a multiple of the
// yardstick's, and the lost queries.
func (b *bench) ratio(ctx context.Context, workload string, p, yardstick *process) (string, error) {
	file := func(run int) string {
		if workload == "w4" {
			return b.path(fmt.Sprint(workload, ".", run))
		}
		return b.path(workload)
	}
	if workload == "w1" || workload == "w2" {
		if _, err := b.load(ctx, p, overUDP(port), file(0), b.secs); err != nil { // to warm it up
			return "", err
		}
	}
	got, err := b.median(ctx, overUDP(port), file, p, yardstick)
	cell := fmt.Sprintf("%.2f", got.ratio)
	if got.lost > 0 {
		cell += fmt.Sprintf(" (%.0f)", got.lost)
	}
	return cell, err
}

// median measures a workload several times, with the yardstick before and after each run. It returns the run with the
// median ratio. The lost queries in the result are those of all runs.
func (b *bench) median(ctx context.Context, by protocol, file func(run int) string, p, yardstick *process,
) (result, error) {
	var runs []result
	lost := 0.0
	for i := range b.runs {
		first, err1 := b.load(ctx, yardstick, overUDP(echoPort), b.path("w1"), 0.5)
		got, err2 := b.load(ctx, p, by, file(i), b.secs)
		second, err3 := b.load(ctx, yardstick, overUDP(echoPort), b.path("w1"), 0.5)
		if err := cmp.Or(err1, err2, err3); err != nil {
			return result{}, err
		}
		got.ratio = 2 * got.cost / (first.cost + second.cost)
		lost += got.lost
		runs = append(runs, got)
	}
	slices.SortFunc(runs, func(a, b result) int { return cmp.Compare(a.ratio, b.ratio) })
	middle := runs[len(runs)/2]
	middle.lost = lost
	return middle, nil
}

// waitBlocked waits until the program answers a query for a listed name with NXDOMAIN, at most two minutes.
func (b *bench) waitBlocked(p *process) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if p.ended() {
			return errors.New("it ended at once")
		}
		if blocked(blockedName(0)) {
			return nil
		}
	}
	return errors.New("it blocked nothing within two minutes")
}

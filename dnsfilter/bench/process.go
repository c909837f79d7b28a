//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// process is a running program, pinned to some CPUs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (b *bench) start(ctx context.Context, cpus string, command ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", cpus}, command...)...) //nolint:gosec // our own words
	cmd.Dir = b.dir
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.done) }() // how it ended does not matter
	time.Sleep(time.Second)
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// cpu returns the CPU time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("reading the CPU time of %d", p.cmd.Process.Pid)
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// memory returns the resident memory of the process, in MiB.
func (p *process) memory() int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	return int(number(`VmRSS:\s+(\d+)`, string(text))) / 1024
}

// result is the result of one run of a workload.
type result struct {
	cost         float64 // CPU microseconds per query
	ratio        float64 // cost as a multiple of the yardstick's
	lost         float64
	rate         float64 // queries per second
	median, late float64 // median and 99th percentile of the answer time, in milliseconds; 0: unknown
}

// load sends the queries of a file for some seconds, and measures their cost for the process.
func (b *bench) load(ctx context.Context, p *process, by protocol, file string, secs float64) (result, error) {
	before, err := p.cpu()
	if err != nil {
		return result{}, err
	}
	command := append([]string{"-c", "1"}, by.tool(b, by, file, secs)...)
	out, err := exec.CommandContext(ctx, "taskset", command...).Output() //nolint:gosec // our own words
	if err != nil {
		return result{}, fmt.Errorf("running %s: %w", command[2], err)
	}
	after, err := p.cpu()
	if err != nil {
		return result{}, err
	}
	answered := number(`(?:Queries completed:\s+|done, )(\d+)`, string(out))
	if answered == 0 {
		return result{}, fmt.Errorf("no query was answered")
	}
	return result{
		cost: float64((after - before).Microseconds()) / answered, rate: answered / secs,
		lost:   number(`(?:Queries lost:\s+|succeeded, )(\d+)`, string(out)),
		median: number(`Median \(ms\): ([\d.]+)`, string(out)), late: number(`99 % \(ms\): ([\d.]+)`, string(out)),
	}, nil
}

// number returns the number in the first match of a pattern in a text, or 0 if there is none.
func number(pattern, text string) float64 {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return n
}

// blocked reports whether the measured server answers a query for a name with NXDOMAIN.
func blocked(name string) bool {
	c := dns.Client{Timeout: 200 * time.Millisecond}
	reply, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA),
		net.JoinHostPort(host, strconv.Itoa(port)))
	return err == nil && reply.Rcode == dns.RcodeNameError
}

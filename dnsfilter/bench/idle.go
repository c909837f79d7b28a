//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	idleClients = 100 // number of client addresses
	keepEvery   = 5 * time.Second
)

// idle measures the memory of dnsfilter with many idle connections, and prints it.
func (b *bench) idle(ctx context.Context) error {
	fmt.Fprintf(b.out, "\nIdle connections\n\n| | number | MB before | with them | KB of each |\n|---|---|---|---|---|\n")
	for _, by := range encrypted() {
		if err := b.idleOver(ctx, by); err != nil {
			return fmt.Errorf("%s: %w", by.name, err)
		}
	}
	return nil
}

func (b *bench) idleOver(ctx context.Context, by protocol) error {
	p, err := b.startPeer(ctx, "dnsfilter", "0,1")
	if err != nil {
		return err
	}
	defer p.stop()
	before, number, clients := p.memory(), idleClients*by.idle, make([]idleClient, idleClients)
	var opening sync.WaitGroup
	opening.Add(idleClients)
	g, within := errgroup.WithContext(ctx)
	for i := range clients {
		g.Go(func() error {
			err := clients[i].open(within, net.IPv4(127, 1, 0, byte(i+1)), by)
			opening.Done()
			return errors.Join(err, clients[i].keep(within, &opening))
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	time.Sleep(5 * time.Second) // the connections come to rest
	after := p.memory()
	for _, c := range clients {
		if err := c.ask(ctx); err != nil {
			return fmt.Errorf("a connection did not stay open: %w", err)
		}
	}
	fmt.Fprintf(b.out, "| %s | %d | %d | %d | %.1f |\n", by.name, number, before, after, float64(after-before)*1024/float64(number))
	return nil
}

// idleClient has the open connections of one client address.
type idleClient struct {
	conns []exchange
	asked time.Time // when a query was last sent on each connection
}

// open opens the connections. If that takes long, it sends queries on those that are open already, so that the server
// does not close them.
func (c *idleClient) open(ctx context.Context, from net.IP, by protocol) error {
	at, err := socket(from)
	if err != nil {
		return err
	}
	c.asked = time.Now()
	for range by.idle {
		conn, err := by.dial(ctx, at, by.port)
		if err != nil {
			return err
		}
		c.conns = append(c.conns, conn)
		if time.Since(c.asked) > keepEvery {
			if err := c.ask(ctx); err != nil {
				return err
			}
		}
	}
	return c.ask(ctx)
}

// keep sends queries on the connections, so that the server does not close them, until all clients have opened theirs.
func (c *idleClient) keep(ctx context.Context, opening *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { opening.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return c.ask(ctx)
		case <-time.After(keepEvery):
			if err := c.ask(ctx); err != nil {
				return err
			}
		}
	}
}

// ask sends a query on each connection.
func (c *idleClient) ask(ctx context.Context) error {
	c.asked = time.Now()
	buf := make([]byte, 4096)
	for _, conn := range c.conns {
		if err := conn(ctx, packQuery(allowedName(0)), buf); err != nil {
			return err
		}
	}
	return nil
}

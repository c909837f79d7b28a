package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

const listName = "it.example/demo"

// agency is the publishing side of the demo: a ledger with two officers, and the origin that serves its list.
type agency struct {
	officers []crypto.Signer
	ledger   *publish.Ledger
	server   *http.Server
	url      string
	root     []byte
}

// newAgency creates keys, origin and ledger, signs the root, and starts the origin.
func newAgency(ctx context.Context, dir string, s *steps) (*agency, error) {
	start := time.Now()
	a := &agency{}
	originDir, ledgerDir := filepath.Join(dir, "origin"), filepath.Join(dir, "ledger")
	originKey, err := origin.Init(originDir)
	if err != nil {
		return nil, err
	}
	var public []string
	for _, name := range []string{"anna", "bruno"} {
		path := filepath.Join(dir, name+".key")
		// the keys go with the demo: no passphrase
		text, err := keys.Generate(path, filepath.Join(dir, name+".pub"), name, "")
		if err != nil {
			return nil, err
		}
		key, err := keys.Load(path, nil)
		if err != nil {
			return nil, err
		}
		public, a.officers = append(public, text), append(a.officers, key)
	}
	err = publish.Init(ctx, ledgerDir, publish.InitOptions{
		List: listName, OriginKey: originKey, Officers: public,
		Threshold: 2, Author: "demo",
	})
	if err != nil {
		return nil, err
	}
	if a.ledger, err = publish.Open(ledgerDir); err != nil {
		return nil, err
	}
	if err := a.sign(ctx); err != nil {
		return nil, errors.Join(err, a.ledger.Close())
	}
	s.did("anna and bruno have keys, and have signed the root of "+listName+": both must sign", time.Since(start))
	if a.root, err = os.ReadFile(filepath.Join(ledgerDir, "root.json")); err != nil {
		return nil, errors.Join(err, a.ledger.Close())
	}
	return a, a.serve(originDir)
}

// serve starts the origin on a free port.
func (a *agency) serve(dir string) error {
	o, err := origin.Open(dir, origin.Options{})
	if err != nil {
		return err
	}
	if _, err := o.Trust(a.root); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	a.server = &http.Server{Handler: o.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	a.url = "http://" + l.Addr().String()
	go a.server.Serve(l) //nolint:errcheck // it ends when close closes it
	return nil
}

// sign signs the pending metadata with the keys of both officers.
func (a *agency) sign(ctx context.Context) error {
	for _, officer := range a.officers {
		p, err := a.ledger.Pending()
		if err != nil {
			return err
		}
		if _, err := a.ledger.Sign(ctx, p, officer); err != nil {
			return err
		}
	}
	return nil
}

// publish adds the entries of a file to the ledger, and pushes a release to the origin.
func (a *agency) publish(ctx context.Context, list string, s *steps) error {
	start := time.Now()
	f, err := os.Open(list)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	r, err := formats.NewReader(f, formats.Options{Name: list})
	if err != nil {
		return err
	}
	cause := publish.Audit{Author: "anna", Reason: "demonstration", Reference: "order 2026/17"}
	result, err := a.ledger.Import(ctx, r.Entries(), cause, nil)
	if err != nil {
		return err
	}
	s.did(fmt.Sprintf("%d entries of %s are in the ledger, with author, reason and reference", result.Added, list),
		time.Since(start))
	for _, f := range result.Guards.Findings {
		s.did("not listed, the guards hold it: "+f.String(), 0)
	}

	start = time.Now()
	p, _, err := a.ledger.Release(ctx, "anna")
	if err != nil {
		return err
	}
	if err := a.sign(ctx); err != nil {
		return err
	}
	s.did(fmt.Sprintf("serial %d is released, and signed by anna and bruno", p.Serial), time.Since(start))

	start = time.Now()
	if _, err := a.ledger.Push(ctx, publish.ToHTTP(http.DefaultClient, a.url),
		publish.Audit{Author: "anna", Reason: a.url}); err != nil {
		return err
	}
	s.did("the origin at "+a.url+" has verified it, and serves it", time.Since(start))
	return nil
}

func (a *agency) close() error {
	return errors.Join(a.server.Close(), a.ledger.Close())
}

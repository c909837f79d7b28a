package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// policyZone is a policy zone for other resolvers, with the goroutine that keeps it up to date.
type policyZone struct {
	*rpz.Zone

	config rpz.Config
	cancel context.CancelFunc // ends the goroutine; nil: not started yet
	done   chan struct{}
}

// policyZones has the policy zones of the settings, by name.
type policyZones map[blocklist.Name]*policyZone

// newPolicyZones returns the policy zones of the next settings. It reuses the zones in the argument old, and leaves
// their configuration as it is until replacePolicyZones is called.
func (s *running) newPolicyZones(next *config.Settings, old policyZones) (policyZones, error) {
	out := policyZones{}
	for i := range next.PolicyZones {
		z := &next.PolicyZones[i]
		c, err := s.policyZoneConfig(next, z)
		if err != nil {
			return nil, err
		}
		if have := old[z.Zone]; have != nil {
			out[z.Zone] = &policyZone{have.Zone, c, have.cancel, have.done}
			continue
		}
		zone, err := rpz.Open(filepath.Join(next.State, "rpz", z.Zone.String()), c)
		if err != nil {
			return nil, err
		}
		out[z.Zone] = &policyZone{Zone: zone, config: c, done: make(chan struct{})}
	}
	return out, nil
}

func (s *running) policyZoneConfig(settings *config.Settings, z *config.PolicyZone) (rpz.Config, error) {
	c := rpz.Config{Name: z.Zone, Allow: z.Allow, Notify: z.Notify, File: z.File, ZONEMD: z.ZONEMD, Log: s.log}
	var err error
	if c.Keys, err = z.Keys(); err != nil {
		return c, err
	}
	local := settings.LocalFiles()
	for _, f := range local {
		if f.Allow {
			src := s.fileSource(dnsfilter.Rule{List: f.List}, f)
			src.Allow = true
			c.Sources = append(c.Sources, src)
		}
	}
	for _, r := range settings.Rules(z) {
		if at := slices.IndexFunc(local, func(f config.LocalFile) bool { return f.List == r.List }); at >= 0 {
			c.Sources = append(c.Sources, s.fileSource(r, local[at]))
		} else {
			c.Sources = append(c.Sources, s.signedSource(r))
		}
	}
	return c, nil
}

// fileSource returns a local list as a source of a policy zone. Its entries are read from the file. Reading them fails
// if the current content of the file is not in force.
func (s *running) fileSource(r dnsfilter.Rule, f config.LocalFile) rpz.Source {
	return rpz.Source{
		Rule: r,
		Version: func() (string, error) {
			info, ok := s.store.List(r.List)
			if !ok || info.Err != nil {
				return "", errors.Join(errors.New("it is not in force"), info.Err)
			}
			return info.Source, nil
		},
		Entries: func() iter.Seq2[blocklist.Entry, error] {
			return func(yield func(blocklist.Entry, error) bool) {
				if err := s.readFile(f, yield); err != nil {
					yield(blocklist.Entry{}, err)
				}
			}
		},
	}
}

// readFile yields the entries of a file. It fails if the current content of the file is not in force.
func (s *running) readFile(f config.LocalFile, yield func(blocklist.Entry, error) bool) error {
	if _, current := heldFile(f, s.store); !current {
		return fmt.Errorf("%s: what is in force is not what the file has now", f.Path)
	}
	source, err := f.Source()
	if err != nil {
		return err
	}
	file, err := files.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r, err := formats.NewReader(file, f.Options())
	if err != nil {
		return err
	}
	checkUnchanged(f, source, r)(yield)
	return nil
}

// signedSource returns a signed list as a source of a policy zone: the entries of its release, and the urgent orders.
func (s *running) signedSource(r dnsfilter.Rule) rpz.Source {
	list := signedList{s, r.List}
	return rpz.Source{
		Rule: r, Version: list.version,
		Entries: func() iter.Seq2[blocklist.Entry, error] { return list.entries }, Changes: list.changes,
	}
}

// signedList is a signed list that is a source of a policy zone.
type signedList struct {
	*running

	name string
}

func (l signedList) version() (string, error) {
	info, ok := l.store.List(l.name)
	if !ok || info.Err != nil || info.Serial == 0 {
		return "", errors.Join(errors.New("nothing is held of it"), info.Err)
	}
	return fmt.Sprintf("serial %d %s %v", info.Serial, info.Digest, l.store.Urgent(l.name)), nil
}

func (l signedList) entries(yield func(blocklist.Entry, error) bool) {
	f := l.active.Load().subscriptions[l.name]
	if f == nil {
		yield(blocklist.Entry{}, errors.New("it is not followed"))
		return
	}
	for e, err := range f.sub.Entries() {
		if !yield(e, err) || err != nil {
			return
		}
	}
	for _, e := range l.store.Urgent(l.name) {
		if !yield(e, nil) {
			return
		}
	}
}

// changes returns the changes of the list since an older version. It returns false if they are not known, or if one of
// the two versions has urgent orders.
func (l signedList) changes(since string) (iter.Seq2[blocklist.Change, error], bool) {
	f := l.active.Load().subscriptions[l.name]
	var serial uint64
	_, err := fmt.Sscanf(since, "serial %d ", &serial)
	if f == nil || err != nil || !strings.HasSuffix(since, " []") || len(l.store.Urgent(l.name)) > 0 {
		return nil, false
	}
	return f.sub.Changes(serial)
}

// primary returns the zones in the form that the server needs to answer for them.
func (zones policyZones) primary() map[blocklist.Name]dnsfilter.PrimaryZone {
	out := map[blocklist.Name]dnsfilter.PrimaryZone{}
	for name, z := range zones {
		out[name] = z.Zone
	}
	return out
}

// replacePolicyZones stops the zones that are only in the argument old, configures all zones in the argument next, and
// starts those that are new. It returns the argument next.
func (s *running) replacePolicyZones(ctx context.Context, old, next policyZones) policyZones {
	for name, z := range old {
		if next[name] == nil && z.cancel != nil {
			z.cancel()
			<-z.done
		}
	}
	for _, z := range next {
		z.Configure(z.config)
		if z.cancel == nil {
			var zone context.Context
			zone, z.cancel = context.WithCancel(ctx)
			go func() {
				defer close(z.done)
				z.Run(zone, s.store.Changed)
			}()
		}
	}
	return next
}

// wait waits until the goroutines of all zones have ended.
func (zones policyZones) wait() {
	for _, z := range zones {
		if z.cancel != nil {
			<-z.done
		}
	}
}

// zoneStatus returns the status of each policy zone, in the order of the settings.
func (s *running) zoneStatus() (all []rpz.Status) {
	current := s.active.Load()
	for _, z := range current.settings.PolicyZones {
		all = append(all, current.zones[z.Zone].Status())
	}
	return all
}

// maxFetchers is the maximum number of connections to the HTTP server for zone files. fetchWithin and headerWithin are
// the time limits for sending a zone file and for receiving a request.
const (
	maxFetchers  = 100
	fetchWithin  = 5 * time.Minute
	headerWithin = 10 * time.Second
)

// serveZoneFiles serves the policy zones as zone files over HTTP until ctx ends. The path of a zone file is the name of
// the zone.
func (s *Service) serveZoneFiles(ctx context.Context, l net.Listener) error {
	l = netutil.LimitListener(l, maxFetchers)
	if s.active.Load().settings.ZoneFiles.TLS {
		l = tls.NewListener(l, &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate.pair.Load(), nil },
		})
	}
	h := http.Server{
		Handler: http.HandlerFunc(s.serveZoneFile), ReadTimeout: headerWithin, WriteTimeout: fetchWithin,
		IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 14, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() }) // the client can repeat a request that was cut off
	defer stop()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving zone files: %w", err)
	}
	return nil
}

func (s *running) serveZoneFile(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name, err := blocklist.ParseName(strings.TrimPrefix(r.URL.Path, "/"))
	z := s.active.Load().zones[name]
	if err != nil || z == nil {
		http.NotFound(w, r)
		return
	}
	z.ServeHTTP(w, r)
}

package argine

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
)

func init() { plugin.Register(name, setup) } // the way that CoreDNS has

// settings are the settings of one block in the Corefile.
type settings struct {
	state  string
	lists  []subscribe.Config
	files  map[string]string // path of the file, by list name
	order  []string          // list names in the order of their lines: the first list that blocks decides
	rule   dnsfilter.Rule
	policy dnsfilter.Policy
}

func setup(c *caddy.Controller) error {
	s, err := parse(c)
	if err != nil {
		return plugin.Error(name, err)
	}
	store, err := acquire(s.state)
	if err != nil {
		return plugin.Error(name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	end := func() error { cancel(); return release(s.state) }
	if err := s.start(ctx, store, c); err != nil {
		return plugin.Error(name, errors.Join(err, end()))
	}
	filter, err := dnsfilter.NewFilter(store, s.policy)
	if err != nil {
		return plugin.Error(name, errors.Join(err, end()))
	}
	c.OnShutdown(end)
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		return &Plugin{Next: next, Filter: filter}
	})
	return nil
}

// start reads the operator's files, and makes the subscriptions start when the server starts. Signed lists that are
// already in the store are enforced at once.
func (s *settings) start(ctx context.Context, store *blocklist.Store, c *caddy.Controller) error {
	for list, path := range s.files {
		if err := load(store, list, path); err != nil {
			return err
		}
	}
	for _, config := range s.lists {
		sub, err := subscribe.New(store, config)
		if err != nil {
			return err
		}
		c.OnStartup(func() error {
			go sub.Run(ctx)
			return nil
		})
	}
	return nil
}

func load(store *blocklist.Store, list, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := formats.NewReader(f, formats.Options{Name: path})
	if err != nil {
		return err
	}
	return store.SetLocal(list, path, r.Entries())
}

func parse(c *caddy.Controller) (*settings, error) {
	s := &settings{files: map[string]string{}, rule: dnsfilter.Rule{Action: dnsfilter.NXDomain}}
	c.Next() // the name of the plugin
	if !c.Args(&s.state) {
		return nil, c.Errf("the folder for the lists is missing: argine STATE { ... }")
	}
	for c.NextBlock() {
		if err := s.parseLine(c.Val(), c); err != nil {
			return nil, err
		}
	}
	for _, list := range s.order {
		rule := s.rule
		rule.List = list
		s.policy.Rules = append(s.policy.Rules, rule)
	}
	for _, l := range s.lists {
		s.policy.Later = append(s.policy.Later, l.List)
	}
	if len(s.policy.Rules) == 0 {
		return nil, c.Errf("there is neither list nor file")
	}
	return s, nil
}

func (s *settings) parseLine(key string, c *caddy.Controller) (err error) {
	args := c.RemainingArgs()
	root := dnsserver.GetConfig(c).Root // base of relative paths
	path := func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(root, p)
	}
	switch {
	case key == "list" && len(args) >= 3:
		config := subscribe.Config{List: args[0], Origins: args[2:]}
		config.Root, err = os.ReadFile(path(args[1]))
		s.lists, s.order = append(s.lists, config), append(s.order, args[0])
	case key == "file" && len(args) == 2:
		s.files[args[0]], s.order = path(args[1]), append(s.order, args[0])
	case key == "action" && len(args) == 1 && args[0] != "sinkhole":
		s.rule.Action, err = dnsfilter.ParseAction(args[0])
	case key == "reason" && len(args) == 1:
		s.rule.Reason, err = dnsfilter.ParseReason(args[0])
	default:
		return c.Errf("%q can't be read; there are: list NAME ROOT URL..., file NAME FILE, action ACTION (but sinkhole), reason REASON", key)
	}
	return err
}

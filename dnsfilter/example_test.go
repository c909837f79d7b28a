package dnsfilter_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// exampleStore has the list "local" with a few names.
func exampleStore(dir string) *blocklist.Store {
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		panic(err)
	}
	r, err := formats.NewReader(strings.NewReader("blocked.example\n"), formats.Options{})
	if err != nil {
		panic(err)
	}
	if err := store.SetLocal("local", "", r.Entries()); err != nil {
		panic(err)
	}
	return store
}

// A complete resolver: a store, a policy, an upstream.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := exampleStore(dir)
	defer store.Close()
	rest, err := upstream.NewZone("www.example.org. 300 A 192.0.2.1\n") // in place of upstream.New
	if err != nil {
		panic(err)
	}
	policy := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}}}
	server, err := dnsfilter.New(dnsfilter.Config{Store: store, Policy: policy, Upstream: rest})
	if err != nil {
		panic(err)
	}
	listeners, err := dnsfilter.Listen(context.Background(), "udp://127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	addr := listeners.UDP[0].LocalAddr().String()
	go func() { done <- server.Serve(ctx, listeners) }()

	for _, name := range []string{"www.blocked.example.", "www.example.org."} {
		reply, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), addr)
		if err != nil {
			panic(err)
		}
		fmt.Println(name, reply.Answer[0].(*dns.A).A)
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// www.blocked.example. 192.0.2.80
	// www.example.org. 192.0.2.1
	// <nil>
}

// A filter in front of the existing handler of a github.com/miekg/dns server.
func ExampleFilter_Handler() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := exampleStore(dir)
	defer store.Close()
	policy := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored}}}
	own := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(m)
		if m.Question[0].Name == "alias.example.org." {
			alias, err := dns.NewRR("alias.example.org. CNAME www.blocked.example.")
			if err != nil {
				panic(err)
			}
			reply.Answer = append(reply.Answer, alias)
		}
		w.WriteMsg(reply)
	})

	filter, err := dnsfilter.NewFilter(store, policy)
	if err != nil {
		panic(err)
	}

	addr, stop := serveExample(filter.Handler(own))
	defer stop()
	for _, name := range []string{"www.blocked.example.", "alias.example.org.", "www.example.org."} {
		reply, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeMX), addr)
		if err != nil {
			panic(err)
		}
		fmt.Println(name, dns.RcodeToString[reply.Rcode])
	}
	// Output:
	// www.blocked.example. NXDOMAIN
	// alias.example.org. NXDOMAIN
	// www.example.org. NOERROR
}

// A program that logs or counts decisions itself.
func ExampleFilter_onDecision() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := exampleStore(dir)
	defer store.Close()
	filter, err := dnsfilter.NewFilter(store, dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}})
	if err != nil {
		panic(err)
	}

	filter.OnDecision = func(e dnsfilter.FilterEvent) {
		fmt.Println(e.Question.Name, e.Decision.Action, "by", e.Decision.By(), e.Decision.Match.Entry())
	}
	addr, stop := serveExample(filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		w.WriteMsg(new(dns.Msg).SetReply(m))
	})))
	defer stop()
	for _, name := range []string{"www.blocked.example.", "www.example.org."} {
		if _, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), addr); err != nil {
			panic(err)
		}
	}
	stats := filter.Stats()
	fmt.Println(stats.Queries, "queries,", stats.Lists["local"][dnsfilter.NXDomain], "blocked")
	// Output:
	// www.blocked.example. nxdomain by local blocked.example
	// 2 queries, 1 blocked
}

// A Server as a handler: it answers for all zones except one, behind the mux of another server.
func ExampleServer_ServeDNS() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := exampleStore(dir)
	defer store.Close()
	rest, err := upstream.NewZone("www.example.org. 300 A 192.0.2.1\n") // in place of upstream.New
	if err != nil {
		panic(err)
	}
	policy := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.Refused}}}
	filtering, err := dnsfilter.New(dnsfilter.Config{Store: store, Policy: policy, Upstream: rest})
	if err != nil {
		panic(err)
	}

	mux := dns.NewServeMux()
	mux.Handle(".", filtering)
	mux.HandleFunc("corp.example.", func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(new(dns.Msg).SetReply(m)) })

	addr, stop := serveExample(mux)
	defer stop()
	for _, name := range []string{"www.blocked.example.", "www.example.org.", "www.corp.example."} {
		reply, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), addr)
		if err != nil {
			panic(err)
		}
		fmt.Println(name, dns.RcodeToString[reply.Rcode], len(reply.Answer))
	}
	// Output:
	// www.blocked.example. REFUSED 0
	// www.example.org. NOERROR 1
	// www.corp.example. NOERROR 0
}

// serveExample runs a server of github.com/miekg/dns on loopback.
func serveExample(h dns.Handler) (addr string, stop func() error) {
	started := make(chan struct{})
	server := &dns.Server{Addr: "127.0.0.1:0", Net: "udp", Handler: h, NotifyStartedFunc: func() { close(started) }}
	go server.ListenAndServe()
	<-started
	return server.PacketConn.LocalAddr().String(), server.Shutdown
}

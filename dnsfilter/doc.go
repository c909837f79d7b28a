// Package dnsfilter is the engine of the resolver: it blocks the names that lists have, and forwards every other
// question.
//
// # A resolver in six lines
//
//	policy := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
//	up, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort("192.0.2.53:53")})
//	server, err := dnsfilter.New(dnsfilter.Config{Store: store, Policy: policy, Upstream: up})
//	listeners, err := dnsfilter.Listen(ctx, "udp://127.0.0.1:5353", "tcp://127.0.0.1:5353")
//	err = server.Serve(ctx, listeners) // until ctx ends
//
// A [Server] takes a [blocklist.Store], a [Policy] that says what each list does, and an [Upstream] that answers the
// rest. A type that wraps an [upstream.Forwarder] keeps its speed by [AsyncUpstream]. Within another server of
// github.com/miekg/dns, a [Filter] goes in front of the handler that is there; a Server is such a handler itself.
// Package service is the whole program made of these parts.
//
// # The way of a query
//
// It can be read in respond.go from the top: rate limit, cookie and access list; the decision on the name; special-use
// zones; the cache or the upstream; the inspection of what the answer leads to. The decision is taken before the cache,
// so it holds for every type, under every DO and CD bit, from the moment at which the store or the policy has changed,
// and clients of all views share the cache.
//
// Over UDP an ordinary query takes the fast path: it is read from the datagram as it came and answered in place, many
// with one system call, by one goroutine a processor. An unusual one takes the slow path through messages of miekg/dns.
// Decision, cache and the bytes of the answer are the same code for both.
//
// # Decisions
//
// Allow lists come first, then the rules in order, then quorums (see [Policy]). Entries of a category may have an
// action of their own, a [Quorum] acts on what several lists agree on, and a [View] has other lists, or other actions,
// for some clients.
//
// What an answer leads to is decided on like the name itself, with the same action and reason: the targets of CNAME and
// DNAME records, the targets and address hints of SVCB and HTTPS records, and addresses, for which entries of scope ip
// decide. That a name at the end of a chain does not exist is said with the chain in the answer, which denies nothing
// of the name asked for; without a chain NXDOMAIN becomes no data. Of several addresses or hints the rule that comes
// first in the policy decides. There are two rules of allow lists: nothing is withheld from a client that asks for an
// allowed name, wherever it leads; and if a chain of CNAME records from another name comes to an allowed one, the rest
// of the chain is not inspected. A CNAME record that is asked for itself is shown if it is shown in answers to other
// types.
//
// URLs are not the business of the DNS, and url entries change no answer unless a [Rule] diverts: then clients that
// look for a host with such entries are led to a proxy, which sees more.
//
// # Answers
//
// A blocked answer holds for 30 seconds. It tells clients with EDNS the reason of the list or quorum by an extended
// error (RFC 8914), with its [Notice] if there is one, and Forged Answer beside addresses. A notice has at most 202
// bytes, or as JSON what fits; an answer is never cut because of it. The SOA record of a denial is owned by the parent
// of the entry, or of the name: a name that owns one exists.
//
// Class other than IN and zone transfers get REFUSED, other opcodes NOTIMP, an unknown EDNS version BADVERS; several
// questions, records beside the question and a cookie of a wrong length get FORMERR. Other EDNS options are ignored,
// whatever their length, and so are the bits AA and TC of a query. The RD bit is copied and changes nothing. Answers
// that do not fit are cut to the question, with TC set. Responses and datagrams from port 0 are not answered.
//
// Questions for all types (ANY) get a HINFO record (RFC 8482) for 30 seconds, whether the name exists or not, unless it
// is blocked; those with the DO bit are asked to come over TCP, where the upstream answers.
//
// [SpecialZones] that the policy names are answered here, unless they are listed.
//
// # The upstream and the cache
//
// Of an upstream's reply only what answers the question is kept: the chain from the name asked for, followed by the
// owners of records, and of the authority section proofs (NSEC, NSEC3), the SOA record of a denial, and referrals with
// their DS records. The additional section is dropped: it has addresses of names on which no decision was taken.
//
// A failure of the upstream, whatever its rcode, is SERVFAIL here, with its extended error if it has one. It is cached
// for up to 5 seconds (RFC 9520), unless there is an expired answer: that is served (serve-stale, RFC 8767; see
// stale.go), and the name is not asked for again for as long.
//
// # Clients
//
// Clients outside the networks that the policy names (or, if it names none, loopback and private ones) get REFUSED over
// UDP, and a closed connection over TCP. A [RateLimit] bounds what one network of clients is answered over UDP. Cookies
// (RFC 7873) are answered with cookies of RFC 9018; a client that sends one back has proved its address, and is not
// limited. Beyond the limit, a client with a cookie is asked to come again with ours (BADCOOKIE), others to come over
// TCP. Padding is ignored, and answers are not padded: there is no encrypted transport here.
//
// Nothing here logs or keeps a client's address or a name that was asked for.
//
// # Limits
//
//	questions that wait for the upstream   4096; what comes beyond is dropped
//	... beyond 3072                        256 of one network of clients, and below one parent of names
//	wait for an answer                     4.8 seconds; 1.8 if there is an expired one
//	TCP connections                        1000, of which half may wait for the upstream
//	... of one client                      100 while half are free, down to 10 as they fill up
//	queries of a connection that wait      100
//	idle connection                        30 seconds (RFC 7828); 10 for the first query, and for each once begun
//	... when half are open                 8, 2 and 2, and clients are told to close
//	write                                  2 seconds
//
// A client is an IPv4 address, or an IPv6 network of 56 bits. Where there is no room for a connection, one of the
// client with most of them is closed. The limits are not settings because there is nothing to choose: they bound what
// floods cost (memory and open files), far above ordinary use, and clients need the same times everywhere; the TTL is
// how long unblocking takes.
package dnsfilter

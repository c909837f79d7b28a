// Package dnsfilter is the engine of the resolver: it blocks names by lists, and forwards all other queries.
//
// # A resolver in six lines
//
//	policy := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
//	up, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort("192.0.2.53:53")})
//	server, err := dnsfilter.New(dnsfilter.Config{Store: store, Policy: policy, Upstream: up})
//	listeners, err := dnsfilter.Listen(ctx, "udp://127.0.0.1:5353", "tcp://127.0.0.1:5353")
//	err = server.Serve(ctx, listeners) // until ctx ends
//
// A [Server] needs three things: a [blocklist.Store] with the lists, a [Policy] with the action for each list, and an
// [Upstream] that resolves the names that are not blocked. A type that wraps an [upstream.Forwarder] should implement
// [AsyncUpstream], to be as fast as the Forwarder. In another server of github.com/miekg/dns, a [Filter] wraps the
// existing handler. A Server is such a handler, too. Package service is the complete program.
//
// # The path of a query
//
// The steps are those of respond.go: rate limit, cookie and access list; the decision on the name; the server's own
// zones; the cache or the upstream; the inspection of the targets in the answer. Since the decision comes before the
// cache, it applies to every type and every setting of the DO and CD bits. A change of the store or the policy takes
// effect at once, and clients of all views share the cache.
//
// Over UDP, an ordinary query takes the fast path: it is parsed from the datagram and answered in place, by one
// goroutine per processor, many queries per system call. An unusual query takes the slow path: it is unpacked by
// miekg/dns. Both use the same code for the decision, the cache and the bytes of the answer.
//
// # Decisions
//
// Allow lists come first, then the rules in order, then quorums (see [Policy]). A rule can have a separate action for a
// category of entries. A [Quorum] acts on names and addresses on which several lists agree. A [View] has other lists or
// actions for some clients.
//
// The targets in an answer are subject to the same decision as the query name, with the same action and reason. Targets
// are the targets of CNAME and DNAME records, the targets and address hints of SVCB and HTTPS records, and addresses.
// Entries of scope ip apply to addresses. If the name at the end of a CNAME chain is blocked by NXDOMAIN, the answer
// includes the chain, so that it does not deny the query name. Without a chain, NXDOMAIN becomes no data. If several
// addresses or hints are blocked, the rule that comes first in the policy decides.
//
// Allow lists have two effects on targets. If the query name is allowed, its answer is not inspected. If a CNAME chain
// from another name reaches an allowed name, the rest of the chain is not inspected. In the answer to a CNAME query,
// the CNAME record is shown if it is also shown in answers to other types.
//
// DNS does not see URLs. So url entries change no answer unless a [Rule] has proxy addresses in Divert. Then clients
// get the addresses of the proxy for hosts with url entries, and the proxy filters by URL.
//
// # Answers
//
// The TTL of a blocked answer is 30 seconds, or that of its [Rule]. Clients with EDNS get the reason of the list or
// quorum as an extended error (RFC 8914), with the [Notice] if there is one, and the code Forged Answer if the answer
// has addresses. A notice is limited to 202 bytes, or as JSON to the free space; an answer is never truncated because
// of it. The owner of the SOA record in a denial is the parent of the entry or of the name, since a name with an SOA
// record exists.
//
// These queries get an error: REFUSED for zone transfers and for classes other than IN (except the names of [ServerID]
// in the class CH); NOTIMP for opcodes other than QUERY; BADVERS for an unknown EDNS version; FORMERR for several
// questions, unexpected records, and cookies of an invalid length. Other EDNS options are ignored, even if their length
// is wrong, and so are the bits AA and TC of a query. The RD bit is copied and has no effect. An answer that is too
// long is truncated to its question, with TC set. Responses and datagrams from port 0 are not answered.
//
// Queries of type ANY for names that are not blocked get a HINFO record (RFC 8482) with a TTL of 30 seconds, whether
// the name exists or not. ANY queries with the DO bit get TC over UDP; over TCP, the upstream answers them.
//
// Names that are not blocked are answered without the upstream if they are in a special-use zone of [Config].SpecialUse
// (see [SpecialZones]), if they are canary names of [Config].Canaries, or if [Config].Records has local data for them.
// CNAME records of the local data are followed to the upstream. Zones in [Config].Forward have other upstreams. The
// longest zone that contains a name counts.
//
// # The upstream and the cache
//
// An upstream's reply is reduced to the records that answer the question. From the answer section, that is the CNAME
// chain of the query name and the records at its end. From the authority section, it is the proofs of DNSSEC (NSEC,
// NSEC3), the SOA record of a denial, and referrals with their DS records. The additional section is dropped, since it
// has addresses of names without a decision.
//
// Every failure rcode of the upstream becomes SERVFAIL, with the upstream's extended error if it has one. It is cached
// for up to 5 seconds (RFC 9520). If the cache has an expired answer, clients get that instead (serve-stale, RFC 8767;
// see stale.go), and the upstream is asked again after the same 5 seconds at the earliest.
//
// # Clients
//
// Clients outside the networks of [Config].Clients get REFUSED over UDP, and a closed connection over TCP. Without such
// networks, loopback and private clients are served. A [RateLimit] limits the answers to one network of clients over
// UDP. Clients that send a cookie (RFC 7873) get a server cookie (RFC 9018). A client that returns a valid server
// cookie has proved its address and is not limited. Beyond the limit, some queries get a short reply: BADCOOKIE with a
// server cookie if they have a client cookie, otherwise TC. Over encrypted transports, which package secure serves,
// answers are padded if the query has the padding option (RFC 7830, RFC 8467).
//
// Load balancers in [Config].Proxies name the client of each connection and datagram in a PROXY header. Everything
// above then applies to that client.
//
// The package neither logs nor stores client addresses or query names.
//
// # Limits
//
//	queries that wait for the upstream     4096; further queries are dropped
//	... beyond 3072                        256 per network of clients, and per parent of names
//	wait for an answer                     4.8 seconds; 1.8 if there is an expired answer
//	TCP connections                        1000, of which half may wait for the upstream
//	encrypted connections                  24000, of which half may wait for the upstream
//	... over QUIC, HTTP/3 included         6000, of which half may wait for the upstream
//	... of one client                      100 while at least 500 are free, down to 10 as they fill up
//	queries of a connection that wait      100
//	idle connection                        30 seconds (RFC 7828); 10 for the first query, and for reading one query
//	... when half are open                 8, 2 and 2; edns-tcp-keepalive is 0
//	write                                  2 seconds
//	PROXY header of a connection           2 seconds, 2 KiB
//	QUIC handshakes                        5 seconds; 4000 at once, 50 of one client; beyond 500, and 500 in a second,
//	                                       the address is verified first
//	QUIC connection                        100 streams at once, 32 KiB not yet read
//	DNS over QUIC                          10 seconds for a query
//	HTTP requests                          5 seconds and 8 KiB for the header, 10 seconds in all; 100 per connection
//	requests over QUIC, HTTP/2 and HTTP/3  1000 per listener whose query has not arrived completely, or whose answer
//	                                       the client has not read; a further one ends the oldest
//
// A client is an IPv4 address, or an IPv6 /56 network. When the limit on connections is reached, the client with the
// most connections loses one of them to a new connection. If several clients have equally many, the client that has
// sent no query for the longest time loses a connection. A QUIC connection that moves to another address keeps its
// client, with its view and its limits. The limits are not settings, since they need no tuning: they limit the memory
// and the open files that a flood can take, far above ordinary use. The time limits suit clients everywhere.
package dnsfilter

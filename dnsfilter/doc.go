// Package dnsfilter is the resolver: it answers for the names that lists hold, and passes every other question on.
//
//	policy := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
//	up, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort("192.0.2.53:53")})
//	server, err := dnsfilter.New(dnsfilter.Config{Store: store, Policy: policy, Upstream: up})
//	listeners, err := dnsfilter.Listen(ctx, "udp://127.0.0.1:5353", "tcp://127.0.0.1:5353")
//	err = server.Serve(ctx, listeners) // until ctx ends
//
// A [Server] takes a [blocklist.Store], a [Policy] that says what each list does, and an [Upstream] that answers what is
// not listed. The way of a query: the question is read, the decision is taken from its name (allow lists first, then the
// lists in order), and only what is not blocked gets to the cache and to the upstream. So a decision holds for every
// query type, under every DO and CD bit, from the moment the store or the policy has changed.
//
// Where rules are not enough: entries of a category may have an action of their own, a [Quorum] acts on what several lists
// agree on, and a [View] has other lists, or other actions, for some clients. All of these are decided on before the cache,
// so clients of all views share it.
//
// What an answer leads to is decided on like the name itself, with the same action and reason: the targets of CNAME and
// DNAME records, the targets and address hints of SVCB and HTTPS records, and addresses, for which entries of scope ip
// decide. That a name at the end of a chain does not exist is said with the chain in the answer, which denies nothing of the
// name asked for; where there is no chain NXDOMAIN becomes no data. Two rules of allow lists: nothing is withheld from whoever
// asks for an allowed name, wherever it leads; and if the chain of CNAME records from another name comes to an allowed one,
// what is behind it is not looked at. Who asks for a CNAME record itself is shown it where answers to other types show it, too.
//
// Of an upstream's reply only what answers the question is passed on and kept: the chain from the name asked for, followed by the
// owners of records, and of the authority section proofs (NSEC, NSEC3), the SOA record of a denial, and referrals with their DS
// records. The additional section is dropped: it has addresses of names that nobody has decided on.
//
// Over UDP an ordinary query that can be answered at once takes the fast path: it is read from the datagram as it came and
// answered in place, many with one system call where the system can do so, by one goroutine a processor, which has a socket of
// each address. A question that has to wait for the upstream is set aside; the same goroutine reads the upstream's reply.
// Whatever is unusual takes the plain path through messages of miekg/dns. The decision, the cache and the bytes of the
// answer are the same code for both.
//
// Within another server of github.com/miekg/dns, a [Filter] goes in front of the handler that is there. A Server is a handler itself.
//
// [Service] is the whole program made of these parts: settings from a file, local lists that are re-read when they
// change, signed lists that are followed, listeners.
//
// All answers but those of the upstream are local: class other than IN and zone transfers get REFUSED, other opcodes NOTIMP,
// an unknown EDNS version BADVERS; several questions, records beside the question and a cookie of a wrong length get FORMERR. Other
// EDNS options that mean nothing here are ignored, whatever their length. The bits AA and TC of a query are, too. The RD bit is copied and changes nothing: there is no recursion here to ask for. Answers
// that do not fit are cut to the question, with TC set. Questions for all types (ANY) are answered with a HINFO record
// that says no more than that (RFC 8482), for 30 seconds, whether there is such a name or not, unless the name is blocked; those with the DO bit are asked to come over TCP, and
// answered by the upstream there.
//
// URLs are no business of the DNS, and url entries change no answer unless a [Rule] diverts: then clients that look for a host
// which has such entries are led to a proxy, which sees more.
//
// The SOA record of a denial is owned by the parent of the entry, or of the name: a name that owns one exists.
//
// A blocked answer tells clients that speak EDNS why, with an extended error (RFC 8914): the reason of the list or quorum, its
// [Notice] if there is one, and Forged Answer beside addresses. A notice has at most 202 bytes, or as JSON what fits; an answer
// is never cut because of it.
//
// Zones that mean nothing outside of a host or a site, as [SpecialZones] has them, are answered here if the policy says so, and
// nothing that is listed is; settings do for all of them, or for those named under local.
//
// A failure of the upstream, whatever its rcode, is SERVFAIL here, with its extended error if it has one. It is kept for up to 5
// seconds (RFC 9520), unless an expired answer is held: that stands in, and the name is not asked for again as long.
//
// Clients beyond the networks that the policy names (or, if it names none, loopback and private ones) get REFUSED over UDP,
// and a closed connection over TCP. Responses and datagrams from port 0 are not answered.
//
// A [RateLimit] bounds what one network of clients is answered over UDP. Cookies (RFC 7873) are answered with cookies of RFC
// 9018; a client that brings one back has proved its address, and passes the limit. Beyond it, a client that has sent a
// cookie is told to come again with ours (BADCOOKIE), others to come over TCP. Padding is ignored, and answers are not padded: there
// is no encrypted transport here that it would be of use for.
//
// Nothing here logs or keeps a client's address or a name that was asked for.
//
// The limits are fixed: 4096 questions wait for the upstream at once, and what comes beyond is dropped, or beyond 3072 what comes from
// a network of clients that has 256 of them, or for names below one parent that have; whoever could have an expired answer
// instead waits no longer than 1.8 seconds; 4.8 seconds for an answer. 1000 TCP connections, half of which may wait for the upstream;
// of a client (an IPv4 address, an IPv6 network of 56 bits) 100 while half are free, and then fewer, down to 10, as it fills; where
// there is no room, one goes of the client that has most. 100 queries of a connection wait at once. A connection may be idle for 30
// seconds, which clients with EDNS are told (RFC 7828), and take 10 for its first message and for any message once begun; when more
// than half of all are open these are 8, 2 and 2, and clients are told to close. 2 seconds for a write. A blocked answer holds for 30.
//
// They are not settings because nobody could choose better ones: they bound what floods cost (memory and open files), far above what
// ordinary use takes, and clients need the same times everywhere; the TTL is how long unblocking takes.
package dnsfilter

// Package guard checks an update of a list before it takes effect, and holds it if it would block too much, or suddenly
// too little. The agency checks before a release, the subscriber before it applies an update, each with its own limits:
//
//	g, err := guard.New(guard.Limits{Protected: protected, Popular: popular}) // the zero value is a sensible default
//	report, err := g.Check(guard.Update{Before: n, After: m, Changes: changes, Entries: entries})
//	if report.Held > 0 { ... }                                                // hold the update, show report.Findings
//
// An update that trips a check may still be right: a person reviews the findings and accepts or rejects them.
// [Report.Digest] binds that decision to exactly these findings.
//
// # The incidents behind each check
//
//	root, single-label, public-suffix, private-suffix  lists cut short have blocked all of com, or all customers of a host
//	protected        a search engine and an encyclopedia led to a stop page for an hour (manual edit, France, 2016)
//	popular          a file store of millions was blocked for hours because it was not protected (Italy, 2024)
//	parent           an order against one channel or one customer becomes an entry for the whole platform
//	wide-address     sixteen million addresses of two cloud operators (Russia, 2018)
//	special-address  a private or loopback address listed; stop pages and parked names resolve there
//	growth           eight thousand good names in the folder that providers pull from (Denmark, 2012)
//	shrink, empty    a truncated download or a failed export switches a filter off unseen
//	lookalike        a name typed or copied with foreign letters: not the name that was meant, or a name made to deceive
//
// # What counts
//
// Only new entries are checked: added ones, and those that were only monitored before.
//
// Some findings are reported but do not hold the update. An addition with status=monitor blocks nothing: it never
// counts as a parent, and its other findings are only reported. A host entry on a public suffix blocks that one name,
// which may be intended. The same holds for an entry for a name that is a suffix only by a wildcard rule (*.ck). In the
// first state of a list, findings that are common in lists ([Check.Common]) are only reported: suffixes of companies,
// and parents. Look-alikes never hold.
//
// A URL entry is as narrow as its path and trips nothing, with three exceptions. An entry for its whole host
// (https://name/*) is checked like that host. An entry for all subdomains (https://*.name/path) is checked like that
// domain. If URL entries divert their hosts to a proxy ([Limits].Diverts), each is checked like its host.
//
// # Protected names
//
// [BuiltIn] has names that so many people and machines depend on that blocking one is almost always a mistake. An entry
// for such a name, or for a name above it, is held. An entry for a page, or for a customer's name below a platform, is
// not. A built-in name adds no finding if the same entry has one for a public suffix or for the operator's own
// protected name.
//
// # Limits
//
// The public suffix list is the one compiled into golang.org/x/net. It contains public suffixes, not the names above
// them: add a hoster's own domain to the protected list if the suffixes of its regions lie below it. The checks can't
// know how many sites share an address. Growth and shrink are measured for one update: a series of updates, each just
// below the limit, passes.
package guard

// Package guard stops the updates that would block too much, or suddenly too little, before they do. The agency asks it
// before a release, the subscriber before an update is applied; both use this code, each with limits of its own:
//
//	g, err := guard.New(guard.Limits{Protected: protected, Popular: popular}) // the zero value of Limits is the sensible one
//	report, err := g.Check(guard.Update{Before: n, After: m, Changes: changes, Entries: entries})
//	if report.Held > 0 { ... }                                                // hold the update, show report.Findings
//
// An update that trips a guard is not wrong by that alone: a person looks at the findings and accepts or rejects them.
// [Report.Digest] binds the answer to exactly the findings that were shown.
//
// # What each guard answers
//
//	root, single-label, public-suffix, private-suffix  lists that were cut short have blocked all of com, or of every customer of a host
//	protected        a search engine and an encyclopedia went to a stop page for an hour after an edit by hand (France, 2016)
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
// Only what is new is checked: added entries, and entries that were only monitored before. An addition with
// status=monitor blocks nothing: it is no parent, and what else it trips is reported and does not hold. A host entry
// on a public suffix blocks that one name, which may be what was meant: it is reported. So is a name that is a suffix
// only by a rule for all its siblings (*.ck). In the first state of a list, what lists commonly hold is reported, too
// ([Check.Common]): suffixes of companies, and parents. A URL entry is as narrow as its path and trips nothing, with
// three exceptions: one that covers its whole host (https://name/*) is checked like that host, one for all subdomains
// (https://*.name/path) like that domain, and where url entries lead hosts to a proxy ([Limits].Diverts) each of them
// like its host. Look-alikes are only ever reported.
//
// # Limits
//
// The public suffixes are those compiled in from golang.org/x/net. The list says which names are public suffixes, not
// which lie above one: a hoster's own domain with its regions' suffixes below it belongs on the protected list. The
// guards can't see who shares an address: many sites may live behind a single one. Growth and shrink are those of one
// update: a list that changes by a little less than its limit each time passes each time.
package guard

// Package takedown refers listed pages to the platforms that can take them down. [Referrals] yields the pages with
// their platforms. [ReadChecks] and [Record] record whether pages are gone. [Summary] counts the pages by platform and
// state. The package reads and writes the ledger of package publish.
package takedown

// Package takedown refers listed pages to the platforms that can take them down. [Referrals] yields the pages for each
// platform. [ReadChecks] and [Record] record whether pages are still there. [Summary] counts the results by platform.
// The package reads and writes the ledger of package publish.
package takedown

// Package takedown follows listed pages to the platforms that can take them down: what is referred to whom
// ([Referrals]), what checks have found since ([ReadChecks], [Record]), and how far each platform is ([Summary]). It
// reads and writes the ledger of package publish.
package takedown

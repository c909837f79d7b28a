// Package proposal keeps proposals to list or to withdraw targets, which people decide on. They come from reports of
// citizens and hotlines, and from the lists of other agencies.
//
// A [Proposal] has a target, a source, and a state. [Propose] records new proposals, and returns findings about each:
// the same proposal made before, an entry that lists or covers the target, a guard or a rule against it. [Decide]
// checks, confirms, refuses, refers or withdraws many proposals, with a result for each. [List] returns a page of
// proposals, [Counts] their numbers, and [Get] one proposal with all its steps. [Examine] returns the current findings
// about proposals.
//
//	new ----> checked ----> listed      (of a proposal to withdraw: delisted)
//	  \         /  \
//	   referred     refused, withdrawn
//
// The rules of the list name the categories in which a second person must confirm what a first person has checked
// ([publish.Rules].TwoPersons). If they name none, a second person must confirm in every category. Confirming gives the
// order in the same transaction, under the guards and rules of [publish.Ledger.Add].
//
// Programs send reports to [Reports], an [http.Handler], with the token of their source ([NewToken]). [FollowList]
// makes another agency's list a source. [Update] compares a new state of that list with earlier proposals, and proposes
// to list or withdraw what differs. [FindTargets] reads the text of an e-mail, and [ReadTable] a table.
//
// Each change of proposals is a step. The steps are a history of their own beside the operations of the ledger, chained
// in the same way and covered by [publish.Ledger.Verify]. A release records the hash of the last step, so the officers'
// signatures cover the steps. A step never changes the list, nor a release that waits for signatures. A signing request
// contains no steps.
//
// The evidence itself is never stored here, only its SHA-256. The person who has reported is recorded only if the rules
// of the list allow it.
package proposal

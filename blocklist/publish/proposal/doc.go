// Package proposal keeps proposals to list or to withdraw targets, on which people decide: reports of citizens and
// hotlines, and the entries of other agencies' lists.
//
// A [Proposal] has a target, a source, and a state. [Propose] records new ones, and returns at once what stands against
// each of them: the same proposal, an entry that lists or covers the target, a guard, a rule. [Decide] checks,
// confirms, refuses, refers or withdraws many proposals, with a result for each. [List] returns a page of proposals,
// [Counts] their numbers, and [Get] one proposal with all its steps. [Examine] returns what stands against proposals
// now.
//
//	new ----> checked ----> listed      (of a proposal to withdraw: delisted)
//	  \         /  \
//	   referred     refused, withdrawn
//
// The rules of the list ([publish.Rules].TwoPersons) say from which category on a second person confirms what a first
// one has checked; without a rule that is every category. Confirming gives the order in the same transaction, with the
// guards and rules of [publish.Ledger.Add].
//
// Programs send reports to [Reports], an http.Handler, with the token of their source ([NewToken]). [FollowList] makes
// another agency's list a source; [Update] turns what it lists and withdraws into proposals. [FindTargets] and
// [ReadTable] read the text of an e-mail and tables.
//
// Each change of proposals is a step. Proposals have a history of their own beside the operations of the ledger,
// chained in the same way and covered by [publish.Ledger.Verify]. A release records the hash of the last step, so the
// officers' signatures cover the steps. A step never changes the list, nor a release that waits for signatures; a
// signing request contains no steps.
//
// The evidence itself is never stored here, only its SHA-256. Who has reported is kept only if the rules of the list
// ask for it.
package proposal

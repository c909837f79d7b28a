// Package proposal keeps what is to be decided on: reports of citizens and hotlines, and what other agencies' lists
// have.
//
// A [Proposal] has a target, where it comes from, and a [State]. [Propose] records new ones, and says at once what
// stands against each: the same proposal, an entry that lists or covers the target, a guard, a rule. [Decide] checks,
// confirms, refuses, refers or withdraws many proposals, with a result for each. [List] returns a page of them,
// [Counts] their numbers, [Get] one with all its steps, [Examine] what stands against some now.
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
// Each of these is a step: proposals have a history of their own beside the operations of the ledger, chained in the
// same way and covered by [publish.Ledger.Verify]. A release records its last hash, so the officers' signatures cover
// it. A step never changes the list, nor a release that waits for signatures; a signing request does not carry it.
//
// The material itself is never here, only its SHA-256. Who has reported is kept only if the rules of the list ask for
// it.
package proposal

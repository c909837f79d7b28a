// Package dnstap sends the messages of a server in the format of dnstap (https://dnstap.info) to a collector or into a
// file. Exchanges with clients are CLIENT_QUERY and CLIENT_RESPONSE. Those with the upstream are FORWARDER_QUERY and
// FORWARDER_RESPONSE. If a list has decided on an answer, its message has the fields of the schema's Policy.
//
// No answer waits for the collector. Messages that it does not take in time are dropped and counted.
package dnstap

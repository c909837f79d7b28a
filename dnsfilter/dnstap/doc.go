// Package dnstap sends the messages of a server to a collector or into a file, in the dnstap format
// (https://dnstap.info). Messages from and to clients have the types CLIENT_QUERY and CLIENT_RESPONSE. Messages to and
// from the upstream have the types FORWARDER_QUERY and FORWARDER_RESPONSE. If a list has decided on an answer, the
// message with that answer has a Policy.
//
// Answers never wait for the collector. Messages that can't be sent in time are dropped and counted.
package dnstap

// Package dnstap sends the messages of a server to a collector, or into a file, as dnstap does (https://dnstap.info):
// CLIENT_QUERY and CLIENT_RESPONSE, and FORWARDER_QUERY and FORWARDER_RESPONSE for the upstream, since it is a resolver
// that does the rest. An answer on which a list has decided has the fields of the schema's Policy.
//
// No answer waits for the collector. What it does not take in time is dropped and counted.
package dnstap

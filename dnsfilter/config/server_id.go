package config

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/dnsfilter"
)

// readServerID parses the key server_id: the name and version that the server tells clients.
func (s *Settings) readServerID(r *reader, n *yaml.Node) {
	version := false
	r.mapping(n, fields{
		"nsid":    scalar(r, &s.ServerID.NSID, parseNSID),
		"version": scalar(r, &version, parseSwitch),
	})
	if version {
		s.ServerID.Version = "dnsfilter " + buildinfo.Current().Version
	}
}

func parseNSID(text string) (string, error) {
	if text == "" {
		return "", errors.New("a name of this server is needed, like ns1")
	}
	return text, dnsfilter.ServerID{NSID: text}.Check()
}

// parseSwitch parses a value that is on or off.
func parseSwitch(text string) (on bool, err error) {
	switch text {
	case "on", "true":
		return true, nil
	case "off", "false":
		return false, nil
	}
	return false, fmt.Errorf("value %.100q: it is on or off", text)
}

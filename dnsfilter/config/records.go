package config

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// recordPosition matches the line and column that miekg/dns adds to errors in zone files.
var recordPosition = regexp.MustCompile(` at line: (\d+):(\d+)$`)

// ReadRecords reads the file of local data. It returns nil if the settings have no such file. Errors in the file have
// the type [Errors].
func (s *Settings) ReadRecords() (*dnsfilter.Records, error) { return s.readRecords("") }

// readRecords reads the file of local data and appends the server's own records, in master file format. It leaves out
// the server's own records if the file mentions _dns.resolver.arpa, the name that they belong to.
func (s *Settings) readRecords(own string) (*dnsfilter.Records, error) {
	if s.Records == "" && own == "" {
		return nil, nil //nolint:nilnil // there is no local data
	}
	var text []byte
	if s.Records != "" {
		var err error
		if text, err = files.ReadSmall(s.Records); err != nil {
			return nil, err
		}
	}
	if !bytes.Contains(bytes.ToLower(text), []byte(designated)) {
		text = append(text, "\n$ORIGIN .\n"+own...)
	}
	r, err := dnsfilter.ParseRecords(bytes.NewReader(text))
	if err == nil {
		return r, nil
	}
	var at position
	why := err.Error()
	if found := recordPosition.FindStringSubmatch(why); found != nil {
		at.line, _ = strconv.Atoi(found[1])
		at.column, _ = strconv.Atoi(found[2])
		why = why[:len(why)-len(found[0])]
	}
	return nil, Errors{at.error(s.Records, why)}
}

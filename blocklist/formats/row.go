package formats

import (
	"encoding/csv"
	"strings"
)

// split splits a row into its fields, without the blanks around them. It returns nil if the quoting is wrong.
func split(row string, separator rune) []string {
	var fields []string
	if strings.Contains(row, `"`) {
		r := csv.NewReader(strings.NewReader(row))
		r.Comma, r.TrimLeadingSpace = separator, true
		var err error
		if fields, err = r.Read(); err != nil {
			return nil
		}
	} else {
		fields = strings.Split(row, string(separator))
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

// mostFrequent returns the separator (comma, semicolon, tab or bar) that occurs most often in a line.
func mostFrequent(line string) rune {
	separator := ','
	for _, s := range ";\t|" {
		if strings.Count(line, string(s)) > strings.Count(line, string(separator)) {
			separator = s
		}
	}
	return separator
}

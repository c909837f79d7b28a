package formats_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/argine-dns/argine/blocklist/formats"
)

func Example() {
	list := "127.0.0.1 localhost\n0.0.0.0 ads.example.com\n0.0.0.0 track.example.org # seen in May\n"
	r, err := formats.NewReader(strings.NewReader(list), formats.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = formats.Write(os.Stdout, formats.RPZ, r.Entries(), formats.WriteOptions{Zone: "rpz.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := r.Report()
	fmt.Println(";", report.Format, report.Entries, report.Skipped)
	// Output:
	// $TTL 300
	// $ORIGIN rpz.example.
	// @ SOA localhost. nobody.invalid. 1 3600 600 604800 60
	// @ NS localhost.
	// ads.example.com CNAME .
	// track.example.org CNAME .
	// ; hosts 2 [{name of the machine itself 1 [1] }]
}

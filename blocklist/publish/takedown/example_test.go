package takedown_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// What somebody found when looking at pages that were referred to their platforms; [takedown.Record] takes it as
// it comes.
func ExampleReadChecks() {
	table := "url,removed,checked\nhttp://Social.example/user/7,yes,2026-11-20\nhttps://social.example/user/8,perhaps,2026-11-20\n"
	for check, err := range takedown.ReadChecks(strings.NewReader(table)) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(check.Page, check.Removed, check.Checked.Format(time.DateOnly))
	}
	// Output:
	// https://social.example/user/7 true 2026-11-20
	// line 3: "https://social.example/user/8": malformed: removed is "perhaps": yes or no is needed
}

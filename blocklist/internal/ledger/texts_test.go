package ledger

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is searched of an operation is what a page shows of it: a proof or a key would be found by any two digits.
func TestTextsOfOperations(t *testing.T) {
	l := newLedger(t)
	for _, o := range [][2]string{
		{KindRefuse, "case 4 refusal 9f10ab c2lnbmF0dXJl"},
		{KindRefuse, "refusal 9f10ab c2lnbmF0dXJl"},
		{KindRefuse, "case 5"},
		{KindSubscribe, "isp.example age1qqqq10"},
		{KindProposals, "step 7 9f10ab"},
		{KindEnd, "9f10ab"},
		{KindDiscard, "9f10ab"},
		{KindPush, "case 6"},
	} {
		require.NoError(t, l.Record(t.Context(), o[0], Audit{Author: "anna", Reason: "why", Reference: o[1]}, nil))
	}
	var texts []string
	for text, err := range l.Texts(t.Context(), TextsOfOperations, 1) {
		require.NoError(t, err)
		texts = append(texts, text.Text)
	}
	assert.Equal(t, []string{
		"why\x1fcase 4\x1fanna", "why\x1f\x1fanna", "why\x1fcase 5\x1fanna", "why\x1fisp.example\x1fanna", "\x1fanna", "why\x1fanna", "why\x1fanna",
		"why\x1fcase 6\x1fanna",
	}, texts)
}

package ledger

const (
	signAdded     = "+"
	signRemoved   = "-"
	signOrder     = "&"
	signWithdrawn = "~"
)

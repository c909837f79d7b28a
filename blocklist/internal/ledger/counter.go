package ledger

// Counter counts the rows that a long operation has read.
type Counter struct {
	Show func(n uint64) // called with N after each 4096 rows; may be nil
	N    uint64
}

// Add counts one more row.
func (c *Counter) Add() {
	if c.N++; c.Show != nil && c.N%4096 == 0 {
		c.Show(c.N)
	}
}

// counting wraps scan: each call also adds one row to c.
func counting[T any](c *Counter, scan func(scanner) (T, error)) func(scanner) (T, error) {
	return func(row scanner) (T, error) {
		c.Add()
		return scan(row)
	}
}

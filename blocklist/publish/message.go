package publish

import (
	"fmt"
	"strings"
	"time"
)

// Phrase is the text of a message before its values are filled in. Key is the key of the text in package words; a
// phrase without a key exists in English only. Text is the English text, as a format of package fmt.
type Phrase struct{ Key, Text string }

// With returns a message: the phrase with these values filled in.
func (p Phrase) With(values ...any) Message { return Message{p, values} }

// Message is a text that the program, not a person, has written. String returns it in English; package words translates
// it.
type Message struct {
	Phrase
	// Values are the values for the verbs of the phrase: numbers, texts, a [Day], a [Key], [UrgentLimits], [Messages] or
	// another message.
	Values []any
}

func (m Message) String() string { return fmt.Sprintf(m.Text, m.Values...) }

// MarshalText implements [encoding.TextMarshaler] with the English text.
func (m Message) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Messages are several messages that belong together, in order.
type Messages []Message

func (all Messages) String() string {
	texts := make([]string, len(all))
	for i, m := range all {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// Day is a calendar day: the day of a time, in the time zone of that time.
type Day time.Time

func (d Day) String() string { return time.Time(d).Format(time.DateOnly) }

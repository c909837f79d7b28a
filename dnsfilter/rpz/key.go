package rpz

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// Key is a TSIG key (RFC 8945): name, algorithm and secret. [ReadKeys] reads keys from a file.
type Key struct {
	name      blocklist.Name
	algorithm string // name in the form of miekg/dns, with a dot at its end
	secret    string // base64
}

// Name returns the name of the key. The name is not secret.
func (k Key) Name() string { return k.name.String() }

// Limits on key files.
const (
	maxKeyFile = 16 << 10
	maxKeys    = 16
)

// algorithms returns the supported algorithms: those of RFC 8945 except MD5.
func algorithms() []string {
	return []string{dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512}
}

// ReadKeys reads a file of TSIG keys in the form that tsig-keygen writes, which is that of BIND's key statement:
//
//	key "transfer.example" {
//		algorithm hmac-sha256;
//		secret "base64";
//	};
//
// Several keys may follow one another, to change them without a gap: any of them is accepted, and the first one signs
// notifications.
func ReadKeys(path string) ([]Key, error) {
	text, err := files.Read(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading TSIG keys: %w", err)
	}
	keys, err := ParseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading TSIG keys: %s: %w", path, err)
	}
	return keys, nil
}

// ParseKeys parses the text of a key file, see [ReadKeys]. Its errors never quote the text, since it is secret.
func ParseKeys(text string) ([]Key, error) {
	p := keyParser{rest: strings.TrimPrefix(text, "\ufeff"), line: 1}
	var keys []Key
	for {
		word, ok := p.word()
		if !ok {
			break
		}
		if word != "key" || len(keys) == maxKeys {
			return nil, p.malformed("a file of at most 16 keys is needed, as tsig-keygen writes them")
		}
		k, err := p.key()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(keys, func(o Key) bool { return o.name == k.name }) {
			return nil, p.malformed("two keys have the same name")
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, p.malformed("there is no key in it: make one with tsig-keygen")
	}
	return keys, nil
}

// keyParser splits a key file into words, strings and the characters { } ; without comments.
type keyParser struct {
	rest string
	line int
}

func (p *keyParser) malformed(why string) error {
	return fmt.Errorf("line %d: %w: %s", p.line, blocklist.ErrMalformed, why)
}

// key parses a key statement after its first word, which is key.
func (p *keyParser) key() (k Key, err error) {
	name, _ := p.word()
	if k.name, err = blocklist.ParseName(name); err != nil || k.name.IsRoot() {
		return k, p.malformed("a key needs a name, which is a domain name")
	}
	if !p.is("{") {
		return k, p.malformed("{ is needed after the name of a key")
	}
	for {
		word, _ := p.word()
		switch word {
		case "algorithm":
			k.algorithm, err = p.algorithm()
		case "secret":
			k.secret, err = p.secret()
		case "}":
			if k.algorithm == "" || k.secret == "" || !p.is(";") {
				err = p.malformed("a key needs an algorithm and a secret, and a semicolon at its end")
			}
			return k, err
		default:
			err = p.malformed("a key has an algorithm and a secret, each with a semicolon after it")
		}
		if err != nil {
			return k, err
		}
	}
}

func (p *keyParser) algorithm() (string, error) {
	word, _ := p.word()
	name := dns.CanonicalName(word)
	if !slices.Contains(algorithms(), name) || !p.is(";") {
		return "", p.malformed("an algorithm is hmac-sha1, -sha224, -sha256, -sha384 or -sha512, with a semicolon after it")
	}
	return name, nil
}

// minSecret is the minimum length of a secret, in bytes.
const minSecret = 8

func (p *keyParser) secret() (string, error) {
	word, _ := p.word()
	secret, err := base64.StdEncoding.DecodeString(word)
	if err != nil || len(secret) < minSecret || !p.is(";") {
		return "", p.malformed("a secret is at least 8 bytes in base64, with a semicolon after it")
	}
	return base64.StdEncoding.EncodeToString(secret), nil
}

// is reads the next word, and reports whether it is the given one.
func (p *keyParser) is(want string) bool {
	word, ok := p.word()
	return ok && word == want
}

// word returns the next word, without the quotes of a string.
func (p *keyParser) word() (string, bool) {
	if !p.skip() {
		return "", false
	}
	switch c := p.rest[0]; {
	case strings.IndexByte("{};", c) >= 0:
		return p.cut(1, 0), true
	case c == '"':
		end := strings.IndexAny(p.rest[1:], "\"\n")
		if end < 0 || p.rest[1+end] == '\n' {
			return "", false
		}
		p.rest = p.rest[1:]
		return p.cut(end, 1), true
	}
	end := strings.IndexAny(p.rest, " \t\r\n{};\"")
	if end < 0 {
		end = len(p.rest)
	}
	return p.cut(end, 0), true
}

// cut removes n+more bytes from the start of the text, and returns the first n of them.
func (p *keyParser) cut(n, more int) (word string) {
	word, p.rest = p.rest[:n], p.rest[n+more:]
	return word
}

// skip removes blanks and comments. It returns false at the end of the text.
func (p *keyParser) skip() bool {
	for p.rest != "" {
		end := 1
		switch {
		case strings.HasPrefix(p.rest, "/*"):
			if end = strings.Index(p.rest, "*/"); end < 0 {
				end = len(p.rest) - 2
			}
			end += 2
		case p.rest[0] == '#', strings.HasPrefix(p.rest, "//"):
			if end = strings.IndexByte(p.rest, '\n'); end < 0 {
				end = len(p.rest)
			}
		case strings.IndexByte(" \t\r\n", p.rest[0]) < 0:
			return true
		}
		p.line += strings.Count(p.rest[:end], "\n")
		p.rest = p.rest[end:]
	}
	return false
}

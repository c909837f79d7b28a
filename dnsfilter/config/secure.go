package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// Files returns the paths of the certificate and of its private key. It returns none if there is no certificate.
func (c Certificate) Files() []string {
	if c.Cert == "" {
		return nil
	}
	return []string{c.Cert, c.Key}
}

// Load reads the certificate and its private key, and checks that they match.
func (c Certificate) Load() (*tls.Certificate, error) {
	chain, err := files.ReadSmall(c.Cert)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	key, err := files.ReadSmall(c.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the key of the certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s and its key %s: %w", c.Cert, c.Key, err)
	}
	return &pair, nil
}

// readCertificate parses the paths of the certificate.
func (s *Settings) readCertificate(r *reader, n *yaml.Node) {
	r.mapping(n, fields{
		"cert": scalar(r, &s.Certificate.Cert, s.path),
		"key":  scalar(r, &s.Certificate.Key, s.path),
	})
	for _, path := range []string{s.Certificate.Cert, s.Certificate.Key} {
		s.fileAt[path] = r.position(n)
	}
	if s.Certificate.Cert == "" || s.Certificate.Key == "" {
		r.fail(positionOf(n), "a certificate needs two files: {cert: cert.pem, key: key.pem}")
	}
	r.whenRead(func() {
		if !s.listens(isEncrypted) {
			r.fail(positionOf(n), "a certificate is for listen addresses with tls://, https:// or quic://; there is none")
		}
	})
}

// checkCertificate checks the files of the certificate.
func (s *Settings) checkCertificate() (errs Errors) {
	if s.Certificate.Cert == "" {
		return nil
	}
	if _, err := s.Certificate.Load(); err != nil {
		errs = append(errs, s.fileAt[s.Certificate.Cert].error(s.File, err.Error()))
	}
	return errs
}

// readListen parses the listen addresses.
func (s *Settings) readListen(r *reader, n *yaml.Node) {
	nonEmpty(r, &s.Listen, parseListenText)(n)
	r.whenRead(func() {
		if err := s.checkListen(); err != nil && len(s.Listen) > 0 {
			r.fail(positionOf(n), "%v", err)
		}
	})
}

// checkListen checks that at least one listen address uses plain UDP or TCP: the server tests itself over it. It also
// checks that there is a certificate if a listen address is encrypted.
func (s *Settings) checkListen() error {
	switch {
	case !s.listens(func(how dnsfilter.Transport) bool { return !isEncrypted(how) }):
		return errors.New("listen needs an address with udp:// or tcp://, too, by which the server tests itself, such as udp://127.0.0.1:5353")
	case s.listens(isEncrypted) && s.Certificate.Cert == "":
		return errors.New("listen addresses with tls://, https:// or quic:// need a certificate: {cert: cert.pem, key: key.pem}")
	}
	return nil
}

func isEncrypted(how dnsfilter.Transport) bool { return how >= dnsfilter.TLS }

// listens reports whether kind returns true for the transport of any listen address.
func (s *Settings) listens(kind func(dnsfilter.Transport) bool) bool {
	return slices.ContainsFunc(s.Listen, func(text string) bool {
		how, _, err := dnsfilter.ParseListen(text)
		return err == nil && kind(how)
	})
}

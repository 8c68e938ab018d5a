package polarway

// WithDirectBytes sets how many bytes of a load have to be left for a connection of their own.
func WithDirectBytes(bytes int) Option {
	return func(s *settings) error {
		s.directBytes = bytes
		return nil
	}
}

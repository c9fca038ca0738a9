"""What a release host has, and what each missing part costs."""

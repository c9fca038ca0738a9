"""What SBOMs say of a kit: checked, compared with what it carries, and written where missing."""

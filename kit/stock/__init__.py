"""What stock tools check without us: signatures and bundles that lie beside a sealed kit."""

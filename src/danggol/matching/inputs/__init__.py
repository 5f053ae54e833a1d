"""What is known of listings: titles, details, pictures, prices."""

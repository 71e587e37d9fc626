"""What two or more services need; imports none of them."""

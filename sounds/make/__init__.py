"""What make.py and check.py are made of: lists, speech, sound files, instruments, music."""

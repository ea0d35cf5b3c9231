"""The picture in the terminal: images and facts about a terminal become text for it."""

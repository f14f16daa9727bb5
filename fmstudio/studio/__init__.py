"""What a visitor can do in each room, and the one kind of long action. No gradio, no HTML."""

VIDEO = "https://www.youtube.com/watch?v=x"
FRAME = '<iframe width="200" src="https://www.youtube-nocookie.com/embed/x?feature=oembed"></iframe>'
UNKNOWN = "https://elsewhere.example/clip"

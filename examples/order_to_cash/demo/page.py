def page(result, facts):
    return "<html></html>"

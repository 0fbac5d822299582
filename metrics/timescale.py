def after_migrate(**kwargs):
    pass

"""Answers to forms."""

from django.http import HttpResponseRedirect


class SeeOther(HttpResponseRedirect):
    """After a form: the browser asks for the next page with GET, and a reload does not send the form again."""

    status_code = 303

"""Which devices and powers of a browser this site's pages may use: none."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

NOT_USED = (
    *("accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "hid"),
    *("magnetometer", "microphone", "midi", "payment", "screen-wake-lock", "serial", "usb"),
)
POLICY = ", ".join(f"{feature}=()" for feature in NOT_USED)


def permissions_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, since Django has none for this header. A view that sets it itself is left alone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", POLICY)
        return response

    return middleware

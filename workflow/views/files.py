"""Files that came with forms. Who may read one is asked at each download."""

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404

from workflow import operations
from workflow.models import Upload
from workflow.views.base import PageView


class FileView(PageView):
    """Sends the file to be kept, never to be shown: what somebody sent must not run as a page of this site."""

    def get(self, request: HttpRequest, key: int) -> HttpResponseBase:
        upload = get_object_or_404(Upload.objects.select_related("instance__parent__run__instance"), pk=key)
        if not operations.may_read(request.user, upload):
            raise Http404
        try:
            file = upload.file.open("rb")
        except FileNotFoundError:  # the storage was lost, or is not this machine's
            raise Http404 from None
        response = FileResponse(file, as_attachment=True, filename=upload.name, content_type="application/octet-stream")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["Cache-Control"] = "private, no-store"
        return response

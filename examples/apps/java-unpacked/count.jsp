<%@ page contentType="text/plain" %>Two and two are <%= 2 + 2 %>
